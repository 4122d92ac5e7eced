// Package quic stands in for quic-go: the path of one method is all that is looked for.
package quic

type Transport struct{ Dialed int }

//go:noinline
func (t *Transport) Dial() { t.Dialed++ }

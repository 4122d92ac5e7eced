module podtab.test

go 1.18

require github.com/quic-go/quic-go v0.0.0

replace github.com/quic-go/quic-go => ./quic-go

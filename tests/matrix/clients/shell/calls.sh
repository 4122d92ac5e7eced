#!/bin/sh
# The contract of ../README.md with a program that makes one call and ends: calls.sh curl|wget|gnutls-cli|tstclnt.
# A library is probed when the first process with it is seen, which a program that lives for some milliseconds is not: so one of it waits
# beside, doing nothing, as long as the calls last.
set -eu
URL=https://api.openai.com/v1/chat/completions
MESSAGES='"messages":[{"role":"user","content":"hello"}]'

raw() {  # the request as bytes, for programs that only carry them
  printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nAuthorization: Bearer %s\r\n' "$OPENAI_API_KEY"
  printf 'Content-Type: application/json\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s' "${#1}" "$1"
  sleep 1  # at the end of their input they hang up
}

call() {
  case $program in
    curl) curl -sSf --http1.1 --cacert "$SSL_CERT_FILE" -H "Authorization: Bearer $OPENAI_API_KEY" \
            -H "Content-Type: application/json" -d "$1" "$URL" ;;
    curl-http2) curl -sSf --http2 --cacert "$SSL_CERT_FILE" -H "Authorization: Bearer $OPENAI_API_KEY" \
            -H "Content-Type: application/json" -d "$1" "$URL" ;;
    wget) wget -qO- --ca-certificate="$SSL_CERT_FILE" --header="Authorization: Bearer $OPENAI_API_KEY" \
            --header="Content-Type: application/json" --post-data="$1" "$URL" ;;
    gnutls-cli) raw "$1" | gnutls-cli --x509cafile="$SSL_CERT_FILE" api.openai.com ;;
    # It stays when the server has hung up, and 124 says that it was made to go.
    tstclnt) raw "$1" | timeout 2 tstclnt -h api.openai.com -p 443 -o -D -b || [ $? -eq 124 ] ;;
  esac >/dev/null
}

program=$1
mkfifo "$HOME/$$" && exec 3<>"$HOME/$$" && rm "$HOME/$$"
case $program in
  curl|curl-http2) curl -s -K - <&3 & ;;
  wget) wget -q -i - <&3 & ;;
  gnutls-cli) gnutls-cli --x509cafile="$SSL_CERT_FILE" api.openai.com <&3 >/dev/null & ;;
  tstclnt) tstclnt -h api.openai.com -p 443 -o -D -b <&3 >/dev/null & ;;
esac
waiting=$!
trap 'kill $waiting' EXIT
echo ready
read -r calls
number=0
while [ "$number" -lt "$calls" ]; do
  stream=
  [ $((number % 2)) -eq 0 ] || stream=',"stream":true,"stream_options":{"include_usage":true}'
  call "{\"model\":\"gpt-4o-mini\",$MESSAGES$stream}"
  number=$((number + 1))
done
echo "done"
read -r _ || :

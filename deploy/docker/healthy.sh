#!/bin/bash
# Is the service on local port $1 alive? (An image this small has no HTTP client; bash opens the connection itself.)
set -eu
exec 3<> "/dev/tcp/127.0.0.1/$1"
printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n' >&3
read -r status <&3
[[ $status == *" 200 "* ]]

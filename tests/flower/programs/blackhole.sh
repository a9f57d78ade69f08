#!/bin/sh
# Run a command where packets to the telemetry endpoint and to the name server vanish: nothing
# refuses a connection, nothing answers. Needs new network and mount namespaces around it.
#
# Usage: blackhole.sh DIRECTORY COMMAND...      (DIRECTORY holds `hosts` and `resolv.conf`)
set -eu
directory=$1
shift

ip link set lo up
ip link add hole type veth peer name nowhere
ip address add 192.0.2.2/24 dev hole
ip link set hole up
ip link set nowhere up
# The peer drops what is for another address than its own; ARP never has to be answered.
for address in 192.0.2.1 192.0.2.53; do
  ip neighbour add "$address" lladdr 02:00:00:00:00:01 dev hole nud permanent
done

mount --bind "$directory/hosts" /etc/hosts
mount --bind "$directory/resolv.conf" /etc/resolv.conf
exec "$@"

#!/bin/sh
# Starts a builder of docker-compose.yaml behind its own firewall.
#
#   builder-firewall.sh dockerd …    write the rules, then start dockerd with these arguments
#   builder-firewall.sh check        exit 0 if the rules are in force
#
# A build can reach the public internet and BUILDER_ALLOWED: addresses or networks with an optional
# port, separated by spaces ("10.20.0.5:443 10.30.0.0/16 [fd12::5]:443"). A build cannot reach other
# private addresses, metadata services of clouds, or the builder's own networks. The rules cover RUN
# (forwarded from docker0) and what BuildKit fetches itself, such as ADD https://… (OUTPUT). Builds use
# the resolver of the builder's container.
set -eu

CHAIN=MANIFEST-ENGINE
LABEL=com.manifest-engine.network=restricted
# Metadata services, which BUILDER_ALLOWED cannot open: Azure, AWS and most others, Alibaba, Oracle;
# by IPv6 AWS and Google.
METADATA_4="168.63.129.16 169.254.0.0/16 100.100.100.200 192.0.0.192"
METADATA_6="fd00:ec2::254 fd20:ce::254 fe80::/10"
# IANA's special-purpose registries: private, shared, loopback, benchmarking, multicast, reserved.
PRIVATE_4="0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16
    198.18.0.0/15 224.0.0.0/4 240.0.0.0/4"
PRIVATE_6="::/127 ::ffff:0:0/96 64:ff9b:1::/48 fc00::/7 ff00::/8"
# Builds send DNS queries to this address, which no host has (RFC 5737); the rules forward the queries
# to the engine's resolver.
RESOLVER=192.0.2.53

# For kernels without nf_tables, as in the image docker:dind.
legacy=/usr/local/sbin/.iptables-legacy
if [ -d "$legacy" ] && ! iptables -nL >/dev/null 2>&1; then
    PATH="$legacy:$PATH"
    export PATH
fi

# The container's networks from /proc/net/route, whose numbers are hexadecimal and little endian.
own_networks_4() {
    while read -r _ destination gateway _ _ _ _ mask _; do
        [ "$gateway" = 00000000 ] || continue
        [ "$mask" != 00000000 ] || continue
        printf '%s/%s\n' "$(dotted "$destination")" "$(dotted "$mask")"
    done </proc/net/route
}
dotted() {
    printf '%d.%d.%d.%d' $(echo "$1" | sed 's/\(..\)\(..\)\(..\)\(..\)/0x\4 0x\3 0x\2 0x\1/')
}

# allow IPTABLES ENTRY: does nothing if the entry belongs to the other address family.
allow() {
    address=${2%]:*} port=
    case $2 in
        \[*\]:*) address=${address#\[} port=${2##*:} family=ip6tables ;;
        *:*:*) family=ip6tables ;;
        *:*) address=${2%:*} port=${2##*:} family=iptables ;;
        *) family=iptables ;;
    esac
    [ "$1" = "$family" ] || return 0
    if [ -z "$port" ]; then
        "$1" -w -A "$CHAIN" -d "$address" -j RETURN
        return
    fi
    "$1" -w -A "$CHAIN" -d "$address" -p tcp --dport "$port" -j RETURN
}

# rules IPTABLES NEVER PRIVATE ICMP: a refused connection gets an ICMP answer and fails at once.
rules() {
    refuse="REJECT --reject-with $4"
    "$1" -w -N "$CHAIN"
    "$1" -w -A "$CHAIN" -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
    for network in $2; do "$1" -w -A "$CHAIN" -d "$network" -j $refuse; done
    for entry in ${BUILDER_ALLOWED:-}; do
        allow "$1" "$entry" || {
            echo "BUILDER_ALLOWED: $entry is no address or network with an optional port, such as" \
                "10.20.0.5:443 or 10.30.0.0/16" >&2
            exit 1
        }
    done
    for network in $3; do "$1" -w -A "$CHAIN" -d "$network" -j $refuse; done
    # dockerd keeps the rules of DOCKER-USER, and keeps this jump first in FORWARD.
    "$1" -w -N DOCKER-USER
    "$1" -w -A DOCKER-USER -j "$CHAIN"
    "$1" -w -A FORWARD -j DOCKER-USER
    # The engine's resolver forwards to a resolver that may have a private or link-local address.
    "$1" -w -A OUTPUT -p udp --dport 53 -j RETURN
    "$1" -w -A OUTPUT -p tcp --dport 53 -j RETURN
    "$1" -w -A OUTPUT ! -o lo -j "$CHAIN"
    # A build can reach only the resolver on the builder itself.
    "$1" -w -A INPUT -i docker0 -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j RETURN
    "$1" -w -A INPUT -i docker0 -j $refuse
}

# The engine's resolver listens on 127.0.0.11 at random ports. 0A is TCP's state LISTEN.
resolver_port() { # PROTOCOL
    while read -r _ address _ state _; do
        case $1:$address:$state in
            tcp:0B00007F:*:0A | udp:0B00007F:*) echo $((0x${address#*:})) && return ;;
        esac
    done <"/proc/net/$1"
}

share_resolver() {
    # Applies to docker0, which dockerd creates later, and not to existing interfaces.
    echo 1 >/proc/sys/net/ipv4/conf/default/route_localnet
    for protocol in udp tcp; do
        iptables -w -t nat -A PREROUTING -i docker0 -d "$RESOLVER" -p "$protocol" --dport 53 \
            -j DNAT --to-destination "127.0.0.11:$(resolver_port "$protocol")"
    done
}

in_force() { # IPTABLES
    [ "$("$1" -w -S FORWARD | sed -n 2p)" = "-A FORWARD -j DOCKER-USER" ] &&
        [ "$("$1" -w -S DOCKER-USER | sed -n 2p)" = "-A DOCKER-USER -j $CHAIN" ] &&
        "$1" -w -C OUTPUT ! -o lo -j "$CHAIN" 2>/dev/null &&
        "$1" -w -S "$CHAIN" | grep -q -e '-j REJECT'
}

has_ip6() { grep -qv ' lo$' /proc/net/if_inet6 2>/dev/null; }

if [ "${1:-}" = check ]; then
    in_force iptables || { echo "the builder's firewall is not in force" >&2; exit 1; }
    ! has_ip6 || in_force ip6tables || { echo "the builder's IPv6 firewall is not in force" >&2; exit 1; }
    exit 0
fi

BUILDER_ALLOWED=$(echo "${BUILDER_ALLOWED:-}" | tr ',' ' ')
rules iptables "$METADATA_4 $(own_networks_4)" "$PRIVATE_4" icmp-admin-prohibited
# Skip IPv6 if the kernel does not have IPv6.
if has_ip6 || ip6tables -nL >/dev/null 2>&1; then
    ip6tables -w -A OUTPUT -p icmpv6 -j RETURN
    rules ip6tables "$METADATA_6" "$PRIVATE_6" icmp6-adm-prohibited
fi
if grep -q '^nameserver 127\.0\.0\.11' /etc/resolv.conf; then
    share_resolver
    set -- "$@" --dns="$RESOLVER"
fi
# Trust the authorities of the image and of CA_CERTIFICATES.
if [ -s /run/secrets/ca_certificates ]; then
    { cat /etc/ssl/certs/ca-certificates.crt; echo; cat /run/secrets/ca_certificates; } >/run/ca-bundle.crt
    export SSL_CERT_FILE=/run/ca-bundle.crt
fi
exec dockerd-entrypoint.sh "$@" --label="$LABEL"

# The start of the router's container, also after a reboot without ostler. One certificate that HAProxy
# refuses would keep it from starting at all: those are left out, and named in DIR/left-out. Nobody is led
# to https for their sake: DIR/https.map lacks what belongs to a site that was left out.
#
# Arguments: the configuration, and DIR: the folder of the socket, which can be written.
config=$1 dir=$2 root=${1%/router/*}
given=$root/router/certs.list leads=$root/router/maps/https.map
export OSTLER_RUN=1 OSTLER_CERTS="$dir/certs.list" OSTLER_HTTPS="$dir/https.map" OSTLER_SNI=
[ ! -e /proc/net/if_inet6 ] || export OSTLER_IPV6=1

note() { printf '%s\t%s\n' "$1" "$2" >>"$dir/left-out.new"; }
: >"$dir/left-out.new"

# What is not even there: HAProxy would not look at what follows it.
[ -r "$given" ] || { note "$given" 'it cannot be read'; given=/dev/null; }
while read -r file options || [ -n "$file" ]; do
  case $file in '' | '#'*) continue ;; esac
  if [ ! -e "$file" ]; then note "$file" 'it is missing'
  elif [ ! -f "$file" ] || [ ! -r "$file" ]; then note "$file" 'it cannot be read'
  elif [ ! -s "$file" ]; then note "$file" 'it is empty'
  else printf '%s\n' "$file${options:+ $options}"
  fi
done <"$given" >"$OSTLER_CERTS"

# The domains that are led to https: those below a line `# site-NAME` whose file is still in the list.
[ -r "$leads" ] || leads=/dev/null
lead() {
  kept=$(while read -r file options; do printf '%s\n' "$file"; done <"$OSTLER_CERTS") led=1
  while read -r line || [ -n "$line" ]; do
    case $line in
      '# site-'*)
        site=${line#??} led=
        case "$kept
" in *"/certs/$site.pem
"*) led=1 ;; esac
        ;;
      *) [ -z "$led" ] || printf '%s\n' "$line" ;;
    esac
  done <"$leads" >"$OSTLER_HTTPS"
}

# The first one is for names that have none of their own. Where it is not ours, it is a customer's: then
# other names are turned away.
check() {
  read -r first options <"$OSTLER_CERTS" || first=
  OSTLER_SNI=
  lead
  [ "$first" = "$root/certs/default.pem" ] || OSTLER_SNI=strict-sni
  said=$(haproxy -c -f "$config" 2>&1)
}

# Takes out what HAProxy names: a file, the key that it misses beside it, or a line of the list.
take_out() {
  number=0 found=
  while read -r file options; do
    number=$((number + 1))
    case $said in
      *"'$file'"* | *"'$file.key'"* | *"[$OSTLER_CERTS:$number]"*)
        found=1
        note "$file" "$(printf '%s\n' "$said" | grep -F -e "'$file'" -e "'$file.key'" -e "[$OSTLER_CERTS:$number]" | head -n 1)"
        ;;
      *) printf '%s\n' "$file${options:+ $options}" ;;
    esac
  done <"$OSTLER_CERTS" >"$OSTLER_CERTS.new"
  mv -f "$OSTLER_CERTS.new" "$OSTLER_CERTS"
  [ -n "$found" ]
}

rounds=0
until check; do
  rounds=$((rounds + 1))
  if [ "$rounds" -gt 20 ]; then
    # So many rounds are needed for nothing that ostler writes.
    note "$given" 'all of it: too much of it is refused'
    : >"$OSTLER_CERTS"
    check
    break
  fi
  # What else is wrong is said by the start itself.
  take_out || break
done
mv -f "$dir/left-out.new" "$dir/left-out"
exec haproxy -W -db -f "$config"

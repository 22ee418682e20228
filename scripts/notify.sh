#!/bin/sh
# Tells people what sup has to say: writes it to a file, prints it, and sends it on by mail,
# Slack or Discord where that is switched on below.
#
#   sup --notification-script /path/to/notify.sh -- COMMAND     or, in sup.toml:
#   [[alert]]
#   exec = ["/path/to/notify.sh"]
#   repeat = true        (every restart as it comes; without it, every incident once)
#
# The message is the first argument; the facts are in SUP_EVENT, SUP_LEVEL, SUP_CHILD,
# SUP_EXIT and others (env | grep ^SUP_ shows them). By hand: ./notify.sh "a test".
# Needs no more than the BusyBox of an old NAS; Slack and Discord need curl.

# Switch on what you want: take away a '#', or set the same names in the environment.
# Who can read this file can read the addresses: chmod 700 notify.sh

#ALERT_EMAIL=you@example.org
#SLACK_WEBHOOK_URL=https://hooks.slack.com/services/T000/B000/XXXX
#DISCORD_WEBHOOK_URL=https://discord.com/api/webhooks/0000/XXXX

set -u
umask 077
message=${1:-"(no message)"}
case $0 in
    */*) here=${0%/*} ;;
    *) here=. ;;
esac
log=${SUP_NOTIFY_LOG:-$here/notifications.log}
failed=0

fail() {
    echo "notify.sh: $1" >&2
    failed=1
}

# The text as the inside of a JSON string.
json() {
    printf '%s\n' "$1" |
        tr '\t\r' '  ' |
        tr -d '\001\002\003\004\005\006\007\010\013\014\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037\177' |
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' |
        awk 'NR > 1 { printf "%s", "\\n" } { printf "%s", $0 }'
}

# Posts JSON. The address is a secret: curl reads it from its input, so that `ps` shows none.
post() { # who, address, JSON
    if ! command -v curl >/dev/null 2>&1; then
        fail "$1: this box has no curl"
    elif ! printf 'url = "%s"\n' "$2" | curl --config - --silent --show-error --fail --max-time 4 \
        --output /dev/null --header 'Content-Type: application/json' --data-binary "$3"; then
        fail "$1: not sent"
    fi
}

mail_to() { # address
    mailer=
    for candidate in sendmail /usr/sbin/sendmail /usr/lib/sendmail ssmtp /usr/sbin/ssmtp; do
        if [ -z "$mailer" ] && command -v "$candidate" >/dev/null 2>&1; then mailer=$candidate; fi
    done
    if [ -z "$mailer" ]; then
        fail "mail: this box has neither sendmail nor ssmtp"
        return
    fi
    subject=$(printf '%s\n' "$message" | sed -n 1p)
    {
        printf 'To: %s\nSubject: [sup] %s\n' "$1" "$subject"
        printf 'Content-Type: text/plain; charset=utf-8\n\n%s\n\n' "$message"
        env | grep '^SUP_' | grep -v '^SUP_MESSAGE='
    } | "$mailer" "$1" || fail "mail: not sent"
}

stamp=$(date '+%Y-%m-%d %H:%M:%S')
line="[$stamp] $message"
printf '%s\n' "$line"

# A megabyte is some ten thousand messages: then it begins anew, and the last one stays beside it.
if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt 1000000 ]; then
    mv -f "$log" "$log.1"
fi
printf '%s\n' "$line" >>"$log" || fail "cannot write $log"

if [ -n "${ALERT_EMAIL:-}" ]; then mail_to "$ALERT_EMAIL"; fi
if [ -n "${SLACK_WEBHOOK_URL:-}" ]; then
    post Slack "$SLACK_WEBHOOK_URL" "{\"text\":\"$(json "$message")\"}"
fi
if [ -n "${DISCORD_WEBHOOK_URL:-}" ]; then
    post Discord "$DISCORD_WEBHOOK_URL" "{\"content\":\"$(json "$message")\"}"
fi
exit $failed

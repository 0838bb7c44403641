#!/bin/sh
# What the core's archive needs from outside: a handful from libc, and it stays
# so. Usage: symbols.sh NM ARCHIVE
nm=$1
archive=$2
allowed='memset memcpy memcmp strcmp __assert_fail'

echo 1..1
ours=$("$nm" --defined-only "$archive" | awk 'NF == 3 { print $3 }')
if [ -z "$ours" ]; then
	echo "not ok 1 - $archive defines nothing"
	exit 1
fi
foreign=
for symbol in $("$nm" -u "$archive" | awk '$1 == "U" { print $2 }' | sort -u); do
	# The compiler's own: stack protector, position independence, sanitizers.
	case $symbol in
	__stack_chk_fail | _GLOBAL_OFFSET_TABLE_ | __asan_* | __ubsan_* | __gcov_* | __sanitizer_*) continue ;;
	esac
	echo "$ours $allowed" | tr ' ' '\n' | grep -qxF -- "$symbol" || foreign="$foreign $symbol"
done
if [ -n "$foreign" ]; then
	echo "# from outside:$foreign"
	echo "not ok 1 - the core needs only: $allowed"
	exit 1
fi
echo "ok 1 - the core needs only: $allowed"

# Installs Debian packages that are missing. Other scripts source this file.

# Arguments: a program or a file, then its package, and so on. Root and CI get the packages whose
# program or file is missing. Other users are told their names, and the script ends with status 3.
need_packages() {
    local missing=() as_root=
    while [ $# -gt 0 ]; do
        case $1 in
        /*) [ -e "$1" ] || missing+=("$2") ;;
        *) command -v "$1" >/dev/null || missing+=("$2") ;;
        esac
        shift 2
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        [ -n "${CI:-}" ] || {
            echo "${0##*/}: install the packages ${missing[*]}" >&2
            exit 3
        }
        as_root=sudo
    fi
    echo "${0##*/}: installing ${missing[*]}" >&2
    {
        $as_root apt-get update -qq &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install \
                -y -qq --no-install-recommends "${missing[@]}"
    } >&2 || {
        echo "${0##*/}: cannot install ${missing[*]}" >&2
        exit 3
    }
}

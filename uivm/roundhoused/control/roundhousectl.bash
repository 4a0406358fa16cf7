# Completion of roundhousectl's words for bash. Commands and settings are what the program and its guests say they are.
_roundhousectl()
{
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "$(roundhousectl --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p') --help --version" -- "$word"))
        return
    fi
    case $command in
    import)
        COMPREPLY=($(compgen -f -- "$word"))
        ;;
    edit | create)
        if [ "$COMP_CWORD" = 2 ] && [ "$command" = edit ]; then
            COMPREPLY=($(compgen -W "$(_roundhousectl_guests)" -- "$word"))
        elif [ "$COMP_CWORD" -gt 2 ]; then
            compopt -o nospace
            COMPREPLY=($(compgen -S = -W "slot colour type kernel ramdisk cmdline firmware boot memory_mib vcpus disk cdrom network
                mac uuid clock display autostart label" -- "$word"))
        fi
        ;;
    cancel)
        COMPREPLY=($(compgen -W "$(roundhousectl jobs 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word"))
        ;;
    switch)
        COMPREPLY=($(compgen -W "switcher $(_roundhousectl_guests)" -- "$word"))
        ;;
    policy)
        if [ "$COMP_CWORD" = 2 ]; then
            COMPREPLY=($(compgen -W "status log explain check load" -- "$word"))
        else
            COMPREPLY=($(compgen -f -- "$word"))
        fi
        ;;
    list | jobs | poweroff | restart) ;;
    *)
        COMPREPLY=($(compgen -W "$(_roundhousectl_guests)" -- "$word"))
        ;;
    esac
}

_roundhousectl_guests()
{
    roundhousectl list 2>/dev/null | awk 'NR > 1 { print $2 }'
}

complete -F _roundhousectl roundhousectl

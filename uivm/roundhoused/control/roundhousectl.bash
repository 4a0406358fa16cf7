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
    image)
        _roundhousectl_image "$word"
        ;;
    disc)
        if [ "$COMP_CWORD" = 2 ]; then
            COMPREPLY=($(compgen -W "$(_roundhousectl_guests)" -- "$word"))
        else
            COMPREPLY=($(compgen -W --eject -- "$word") $(compgen -f -- "$word"))
        fi
        ;;
    screenshot)
        if [ "$COMP_CWORD" = 2 ]; then
            COMPREPLY=($(compgen -W "$(_roundhousectl_guests)" -- "$word"))
        else
            COMPREPLY=($(compgen -f -- "$word"))
        fi
        ;;
    revert | forget)
        if [ "$COMP_CWORD" = 2 ]; then
            COMPREPLY=($(compgen -W "$(_roundhousectl_guests)" -- "$word"))
        else
            COMPREPLY=($(compgen -W "$(roundhousectl points "${COMP_WORDS[2]}" 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word"))
        fi
        ;;
    edit | create)
        if [ "$COMP_CWORD" = 2 ] && [ "$command" = edit ]; then
            COMPREPLY=($(compgen -W "$(_roundhousectl_guests)" -- "$word"))
        elif [ "$COMP_CWORD" -gt 2 ] && [[ $word == -* || $command == create && ${COMP_WORDS[COMP_CWORD - 1]} == --disk* ]]; then
            _roundhousectl_disk "$word"
        elif [ "$COMP_CWORD" -gt 2 ]; then
            compopt -o nospace
            COMPREPLY=($(compgen -S = -W "@SETTINGS@" -- "$word"))
        fi
        ;;
    cancel)
        COMPREPLY=($(compgen -W "$(roundhousectl jobs 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word"))
        ;;
    switch)
        COMPREPLY=($(compgen -W "switcher $(_roundhousectl_guests)" -- "$word"))
        ;;
    microphone)
        COMPREPLY=($(compgen -W "nobody $(_roundhousectl_guests)" -- "$word"))
        ;;
    policy)
        if [ "$COMP_CWORD" = 2 ]; then
            COMPREPLY=($(compgen -W "status log explain check load" -- "$word"))
        else
            COMPREPLY=($(compgen -f -- "$word"))
        fi
        ;;
    list | jobs | volume | poweroff | restart) ;;
    *)
        COMPREPLY=($(compgen -W "$(_roundhousectl_guests)" -- "$word"))
        ;;
    esac
}

_roundhousectl_image()
{
    local actions
    if [ "$COMP_CWORD" = 2 ]; then
        actions=$(roundhousectl image --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
        COMPREPLY=($(compgen -W "$actions" -- "$1"))
    elif [ "$COMP_CWORD" = 3 ]; then
        COMPREPLY=($(compgen -W "$(_roundhousectl_images)" -- "$1"))
    else
        COMPREPLY=($(compgen -f -- "$1"))
    fi
}

# Options of create, and what comes behind them.
_roundhousectl_disk()
{
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --disk) ;;
    --disk-clone)
        COMPREPLY=($(compgen -W "$(_roundhousectl_images)" -- "$1"))
        ;;
    --disk-import)
        COMPREPLY=($(compgen -f -- "$1"))
        ;;
    *)
        COMPREPLY=($(compgen -W "--disk --disk-clone --disk-import" -- "$1"))
        ;;
    esac
}

_roundhousectl_images()
{
    roundhousectl image list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_roundhousectl_guests()
{
    roundhousectl list 2>/dev/null | awk 'NR > 1 { print $2 }'
}

complete -F _roundhousectl roundhousectl

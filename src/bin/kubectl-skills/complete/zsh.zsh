#compdef kubectl-skills
# Completion of kubectl-skills in zsh: source <(kubectl-skills completion zsh), or a file _kubectl-skills in $fpath
_kubectl-skills() {
    local line value files=''
    local -a found
    for line in "${(@f)$(kubectl-skills __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            :0) files=1 ;;
            :*) ;;
            *$'\t'*) value=${line%%$'\t'*}; found+=("${value//:/\\:}:${line#*$'\t'}") ;;
            ?*) found+=("${line//:/\\:}") ;;
        esac
    done
    _describe -t values value found
    [[ -z $files ]] || _files
}
if [[ $funcstack[1] == _kubectl-skills ]]; then
    _kubectl-skills "$@"
else
    compdef _kubectl-skills kubectl-skills
fi

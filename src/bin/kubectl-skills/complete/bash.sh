# Completion of kubectl-skills in bash: source <(kubectl-skills completion bash)
_kubectl_skills() {
    local line word glued='' prefix='' words=()
    # bash takes --flag=value for three words.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ ${#words[@]} -gt 0 && ( $glued || $word == = ) ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        if [[ $word == = ]]; then glued=1; else glued=''; fi
    done
    word=${words[${#words[@]}-1]}
    if [[ $word == -*=* ]]; then prefix=${word%%=*}=; fi
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :0) compopt -o default ;;
            :*) ;;
            *) line=${line%%$'\t'*}; COMPREPLY+=("${line#"$prefix"}") ;;
        esac
    done < <(kubectl-skills __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _kubectl_skills kubectl-skills

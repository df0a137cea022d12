# Completion of kubectl-skills in fish: kubectl-skills completion fish | source
function __kubectl_skills_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    set -q current[1]; or set current ''
    for line in (kubectl-skills __complete -- $words $current 2>/dev/null)
        switch $line
            case ':0'
                __fish_complete_path $current
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c kubectl-skills -e
complete -c kubectl-skills -f -a '(__kubectl_skills_complete)'

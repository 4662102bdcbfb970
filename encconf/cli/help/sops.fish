function __sops_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    string match -q -- '-*' $current; and set -a words $current
    $words --generate-bash-completion 2>/dev/null
end
complete -c sops -a '(__sops_complete)'

using System.CommandLine;

namespace Provisioner.Cli;

/// <summary>
/// <c>completion SHELL</c>. The shell asks the program itself what may come next (System.CommandLine's <c>[suggest]</c>), so that completion never knows
/// less than the commands do.
/// </summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # bash completion for provisioner
        _provisioner() {
            local IFS=$'\n' current=${COMP_WORDS[COMP_CWORD]}
            COMPREPLY=($(compgen -W "$(provisioner "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "$current"))
        }
        complete -o default -F _provisioner provisioner

        """;

    private const string Zsh = """
        #compdef provisioner
        _provisioner() {
            local -a answers
            answers=("${(@f)$(provisioner "[suggest:${#BUFFER}]" "$BUFFER" 2>/dev/null)}")
            if (( ${#answers} )) && [[ -n ${answers[1]} ]]; then
                compadd -a answers
            else
                _files
            fi
        }
        compdef _provisioner provisioner

        """;

    private const string Fish = """
        # fish completion for provisioner
        function __provisioner_complete
            set -l line (commandline -cp)
            provisioner "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c provisioner -a '(__provisioner_complete)'

        """;

    public static Command Create(Screen screen)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new TeachingCommand("completion", "Print what has a shell complete commands and options.",
            "source <(provisioner completion bash)",
            "provisioner completion zsh > ~/.zfunc/_provisioner",
            "provisioner completion fish > ~/.config/fish/completions/provisioner.fish")
        {
            shell,
        };
        command.SetAction(parsed =>
        {
            screen.Output.Write(parsed.GetValue(shell) switch { "zsh" => Zsh, "fish" => Fish, _ => Bash });
            return CommandLine.Done;
        });
        return command;
    }
}

using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Provisioner.Cli;

/// <summary>A command whose <c>--help</c> shows how it is used.</summary>
internal sealed class TeachingCommand(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples => examples;

    /// <summary>The <c>provisioner</c> command itself.</summary>
    public sealed class Root() : RootCommand("Turns bare servers into EKS nodes: answers their network boot, and explains every answer.");

    /// <summary>The usual help, with the examples below it.</summary>
    public sealed class Help(HelpAction usual) : SynchronousCommandLineAction
    {
        public const string FirstSteps = """
            The three things to do first:

              1. Start the service. It answers nobody until a Network says so.
                   provisioner serve
              2. Import what servers are to boot, such as Debian's netboot files.
                   provisioner image import /usr/lib/debian-installer/images/12/amd64/text --name debian-12
              3. Describe profile, network and hosts, and say which one to build.
                   provisioner apply -f site.yaml
                   provisioner provision HOST
                   provisioner events HOST --follow

            """;

        public override int Invoke(ParseResult parseResult)
        {
            var output = parseResult.InvocationConfiguration.Output;
            var command = parseResult.CommandResult.Command;
            if (command is RootCommand)
                output.WriteLine(FirstSteps);
            usual.Invoke(parseResult);
            if (command is TeachingCommand { Examples.Count: > 0 } teaching)
            {
                output.WriteLine("Examples:");
                foreach (var example in teaching.Examples)
                    output.WriteLine($"  {example}");
                output.WriteLine();
            }
            return CommandLine.Done;
        }
    }
}

using Provisioner.Lab.Harness;
using Provisioner.Lab.Show;

namespace Provisioner.Lab;

/// <summary>
/// The lab is a test assembly and a program. <c>show</c> is the demonstration behind run.sh, <c>sweep</c> removes what a killed run
/// left behind; everything else is for xunit, which is how <c>dotnet test</c> starts this assembly.
/// </summary>
internal static class Program
{
    public static async Task<int> Main(string[] args) => args switch
    {
        ["show", .. var options] => await Demonstration.RunAsync(options),
        ["sweep"] => await Leftovers.SweepAsync(),
        _ => await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args),
    };
}

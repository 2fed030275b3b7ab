using System.CommandLine;
using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Appliance;
using Provisioner.Doctor;
using Provisioner.Joining;
using Provisioner.Storage;

namespace Provisioner.Cli;

/// <summary><c>provisioner doctor</c>.</summary>
internal static class DoctorCommand
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var all = new Option<bool>("--all") { Description = "Also what is right." };
        var data = new Option<string?>("--data") { Description = "The data directory, to look into when no service answers.", HelpName = "DIR" };
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("doctor", "Look the appliance over: disk, database, clock, certificates, ports, interfaces, other DHCP servers on the wire, the ways out, images, backups. Says what is wrong, what it breaks and what to do; exit code 1 when something is.",
            "provisioner doctor",
            "provisioner doctor --all",
            "provisioner doctor -o json")
        {
            all, data, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            IReadOnlyList<JsonObject> findings;
            try
            {
                using var api = connect(parsed);
                findings = await api.ListAsync("doctor", cancellation);
            }
            catch (CommandFailedException failed)
            {
                findings = Alone(failed.Message, parsed.GetValue(data) ?? Privileges.DefaultDataDirectory);
            }
            if (parsed.GetValue(output).IsData())
                screen.WriteData(Json.List(findings.Select(f => f.DeepClone().AsObject())), parsed.GetValue(output)!);
            else
                Write(screen, findings, parsed.GetValue(all));
            return findings.Any(f => f.At("verdict") == "fail") ? CommandLine.Failed : CommandLine.Done;
        });
        return command;
    }

    private static void Write(Screen screen, IReadOnlyList<JsonObject> findings, bool all)
    {
        var counts = findings.GroupBy(f => f.At("verdict"), StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        FindingsText.Write(screen, [.. findings.Where(f => all || f.At("verdict") is "fail" or "warn")]);
        var (bad, doubtful) = (counts.GetValueOrDefault("fail"), counts.GetValueOrDefault("warn"));
        screen.Output.WriteLine(bad + doubtful == 0 ? $"All is well: {counts.GetValueOrDefault("pass")} things were looked at." : $"{bad} wrong, {doubtful} to see to, {counts.GetValueOrDefault("pass")} right{(all ? "." : " (--all shows them).")}");
    }

    /// <summary>What can be seen without the service, which is the first thing that is wrong.</summary>
    private static List<JsonObject> Alone(string whyNot, string directory)
    {
        var findings = new List<Finding> { new("service", Verdict.Fail, $"The service does not answer: {whyNot}", "Nothing boots, enrols or is followed.", "Start it, and read why it does not start: 'systemctl status provisioner', 'journalctl -u provisioner'.") };
        if (Directory.Exists(directory))
        {
            findings.AddRange(DiskChecks.Of(Path.GetFullPath(directory)));
            findings.Add(LiteDbStore.Inspect(directory) is { } damage ? new Finding("database", Verdict.Fail, $"{damage}.", "The service does not start.", $"'provisioner restore FILE --data {directory} --replace'")
                : new Finding("database", Verdict.Pass, $"Nothing is seen to be wrong with the database in {directory}; the service reads all of it when it starts.", "", ""));
        }
        return [.. findings.Select(DoctorEndpoints.Describe)];
    }
}

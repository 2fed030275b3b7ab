using System.CommandLine;
using Provisioner.Backup;

namespace Provisioner.Cli;

/// <summary><c>provisioner support</c>.</summary>
internal static class SupportCommand
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var file = new Argument<string>("FILE") { Description = "Where to write it; a tar.gz." };
        var command = new TeachingCommand("support", "Gather what somebody who helps needs to see: findings, resources, events, logs, the machine. Secrets are taken out, and scripts and templates are named only. Read it before you give it away: it names hosts and addresses.",
            "provisioner support appliance.tar.gz",
            "tar -tzf appliance.tar.gz")
        {
            file,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var path = Path.GetFullPath(parsed.GetValue(file)!);
            try
            {
                var length = await BackupDirectory.WriteFileAsync(path, async target =>
                {
                    using var response = await api.DownloadAsync(HttpMethod.Get, "support", null, cancellation);
                    await response.Content.CopyToAsync(target, cancellation);
                    return target.Length;
                });
                screen.Output.WriteLine($"{path}: {Words.Size(length)}");
                return CommandLine.Done;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or HttpRequestException)
            {
                throw new CommandFailedException($"{path} is not written: {e.Message}");
            }
        });
        return command;
    }
}

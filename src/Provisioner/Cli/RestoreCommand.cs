using System.CommandLine;
using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Appliance;
using Provisioner.Backup;
using Provisioner.Backup.Age;

namespace Provisioner.Cli;

/// <summary><c>provisioner restore</c>.</summary>
internal static class RestoreCommand
{
    public static Command Create(Screen screen)
    {
        var file = new Argument<string>("FILE") { Description = "The backup." };
        var data = new Option<string?>("--data") { Description = $"The data directory to make; {Privileges.DefaultDataDirectory} unless said otherwise.", HelpName = "DIR" };
        var identity = new Option<string[]>("--identity", "-i") { Description = "The file with the secret key of age that the backup was encrypted to; may be said several times.", HelpName = "FILE" };
        var passphrase = BackupCommand.PassphraseFile("The file with the passphrase, instead of being asked.");
        var config = new Option<string?>("--config") { Description = "Where to put the configuration that is in the backup; nothing is written over. Without it, it is put into 'restored' of the data directory.", HelpName = "FILE" };
        var replace = new Option<bool>("--replace") { Description = "The data directory is not empty: keep what is there under another name, and put the backup in its place." };
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("restore", "Bring back what 'provisioner backup' wrote, on this or another machine. The service must not run. Nothing changes before all of the backup was read and its database opened.",
            "provisioner restore appliance.tar.age                            # asks for the passphrase",
            "provisioner restore appliance.tar.age --identity key.txt --config /etc/provisioner/provisioner.yaml",
            "systemctl stop provisioner && provisioner restore appliance.tar.age --replace && systemctl start provisioner")
        {
            file, data, identity, passphrase, config, replace, output,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            var (path, directory) = (parsed.GetValue(file)!, Path.GetFullPath(parsed.GetValue(data) ?? Privileges.DefaultDataDirectory));
            if (!File.Exists(path))
                throw new CommandFailedException($"there is no file {path}.");
            try
            {
                var restored = await Restore.RunAsync(path, directory, Unlock(screen, path, parsed.GetValue(identity) ?? [], parsed.GetValue(passphrase)), parsed.GetValue(replace),
                    parsed.GetValue(config) is { } wanted ? Path.GetFullPath(wanted) : null, screen.Time, cancellation);
                if (parsed.GetValue(output).IsData())
                    screen.WriteData(Describe(restored, directory), parsed.GetValue(output)!);
                else
                    Tell(screen, restored, directory);
                return CommandLine.Done;
            }
            catch (Exception e) when (e is BackupException or AgeException)
            {
                throw new CommandFailedException($"{path} is not restored: {e.Message}. Nothing was changed.");
            }
        });
        return command;
    }

    private static AgeUnlock Unlock(Screen screen, string path, string[] identities, string? passphraseFile)
    {
        if (identities.Length > 0)
            return new AgeUnlock { Identities = [.. identities.SelectMany(i => AgeIdentity.ReadAll(ReadFile(i), i))] };
        if (passphraseFile is not null)
            return AgeUnlock.With(BackupCommand.ReadPassphrase(passphraseFile));
        // What is no file of age, or wants a key, needs no passphrase to be told so.
        return AgeHeader.WantsPassphrase(path) ? AgeUnlock.With(screen.AskSecret("Passphrase of the backup")) : new AgeUnlock();
    }

    private static string ReadFile(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the secret key {path} cannot be read: {e.Message}");
        }
    }

    private static void Tell(Screen screen, Restored restored, string directory)
    {
        var manifest = restored.Manifest;
        screen.Output.WriteLine($"{directory} is as {manifest.Appliance} was on {manifest.At:u}");
        screen.Output.WriteLine($"  {manifest.Hosts} hosts, {manifest.Certificates} certificates, {manifest.Changes} changes");
        void Say(string text)
        {
            foreach (var line in screen.Wrap(text, 2))
                screen.Output.WriteLine("  " + line);
        }

        if (restored.JournalKept)
            Say("The journal that was there goes on after the backup: what was issued and revoked since is known as well.");
        if (restored.SetAside is { } aside)
            Say($"What was there is in {aside}; remove it when all is well.");
        if (restored.Configuration is { } configuration)
            Say($"The configuration is in {Path.Combine(directory, configuration)}.");
        if (manifest.Images.Where(i => !i.Included).Select(i => i.Name).ToList() is { Count: > 0 } images)
            Say($"Images were not in it; import or download them again: {string.Join(", ", images)}");
        foreach (var need in manifest.Needs)
            Say(need);
        if (Environment.IsPrivilegedProcess && restored.SetAside is null)
            Say($"If the service runs as another user, give it the directory: chown -R provisioner: {directory}");
        screen.Output.WriteLine("Start the service, then see that all is well: provisioner doctor");
    }

    private static JsonObject Describe(Restored restored, string directory) => Json.WithoutNulls(new()
    {
        ["directory"] = directory,
        ["appliance"] = restored.Manifest.Appliance,
        ["at"] = Json.At(restored.Manifest.At),
        ["version"] = restored.Manifest.Version,
        ["changes"] = restored.Manifest.Changes,
        ["hosts"] = restored.Manifest.Hosts,
        ["certificates"] = restored.Manifest.Certificates,
        ["journalKept"] = restored.JournalKept,
        ["setAside"] = restored.SetAside,
        ["configuration"] = restored.Configuration is { } configuration ? Path.Combine(directory, configuration) : null,
        ["missingImages"] = new JsonArray([.. restored.Manifest.Images.Where(i => !i.Included).Select(i => (JsonNode)i.Name)]),
        ["needs"] = new JsonArray([.. restored.Manifest.Needs.Select(n => (JsonNode)n)]),
    });
}

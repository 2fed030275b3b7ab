using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Backup;
using Provisioner.Certificates.Keys;

namespace Provisioner.Cli;

/// <summary><c>provisioner backup</c>.</summary>
internal static class BackupCommand
{
    public static Command Create(Screen screen, Func<ParseResult, ApiClient> connect)
    {
        var file = new Argument<string?>("FILE") { Description = "Where to write it; - for standard output. It is there whole or not at all.", Arity = ArgumentArity.ZeroOrOne };
        var recipients = new Option<string[]>("--recipient", "-r") { Description = "A public key of age (age1…, from age-keygen) that it is encrypted to; may be said several times. Without one, a passphrase is asked for.", HelpName = "KEY" };
        var passphrase = PassphraseFile("The file with the passphrase it is encrypted with, instead of being asked.");
        var images = new Option<bool>("--images") { Description = "With the files of images. Without, they are named in it and imported again after a restore." };
        var scheduled = new Option<bool>("--scheduled") { Description = "Make the backup that the configuration schedules now, where and how it says." };
        var list = new Option<bool>("--list") { Description = "List the backups that were made on the schedule." };
        var output = ResourceCommands.Output("text", "json", "yaml");
        var command = new TeachingCommand("backup", "Write everything the appliance knows into one encrypted file, while it runs: hosts, certificates, the CA and its keys, configuration, templates. It is read back and opened before it counts.",
            "provisioner backup appliance.tar.age                          # asks for a passphrase",
            "provisioner backup appliance.tar.age --recipient age1qyqszq…  # nothing to remember here",
            "provisioner backup appliance.tar.age --images                 # larger, but it needs no network to restore",
            "provisioner backup --scheduled                                # what the configuration says, now",
            "provisioner backup --list",
            "",
            "The file is in the format of age: 'age -d appliance.tar.age | tar -tv' shows what is in it, without the appliance.")
        {
            file, recipients, passphrase, images, scheduled, list, output,
        };
        command.Validators.Add(result =>
        {
            var count = new[] { result.GetValue(file) is not null, result.GetValue(scheduled), result.GetValue(list) }.Count(said => said);
            if (count != 1)
                result.AddError("Say one of FILE, --scheduled and --list.");
            else if (result.GetValue(passphrase) is not null && result.GetValue(recipients) is { Length: > 0 })
                result.AddError("--recipient and --passphrase-file exclude each other: age encrypts to one or the other.");
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            using var api = connect(parsed);
            var format = parsed.GetValue(output)!;
            if (parsed.GetValue(list))
                return await ListAsync(screen, api, format, cancellation);
            if (parsed.GetValue(scheduled))
            {
                var made = await api.PostAsync("backups", [], cancellation);
                Tell(screen, made, made.At("file"), format);
                return CommandLine.Done;
            }
            var wish = new JsonObject { ["images"] = parsed.GetValue(images) };
            if (parsed.GetValue(recipients) is { Length: > 0 } keys)
                wish["recipients"] = new JsonArray([.. keys.Select(k => (JsonNode)k)]);
            else
                wish["passphrase"] = parsed.GetValue(passphrase) is { } from ? ReadPassphrase(from) : screen.AskNewSecret("Passphrase for the backup");
            var path = parsed.GetValue(file)!;
            var verdict = path == "-" ? await ReceiveAsync(api, wish, Console.OpenStandardOutput(), cancellation) : await WriteAsync(api, wish, path, cancellation);
            if (path != "-")
                Tell(screen, verdict, path, format);
            return CommandLine.Done;
        });
        return command;
    }

    /// <summary>An option for a file with a passphrase.</summary>
    public static Option<string?> PassphraseFile(string description) => new("--passphrase-file") { Description = description, HelpName = "FILE" };

    /// <exception cref="CommandFailedException">It cannot be used; says what to do.</exception>
    public static string ReadPassphrase(string path)
    {
        try
        {
            using var secret = Secret.Read(Path.GetFullPath(path), "The backup's passphrase", "Name another with --passphrase-file.");
            return Encoding.UTF8.GetString(secret.Bytes);
        }
        catch (KeyStoreException e)
        {
            throw new CommandFailedException(e.Message);
        }
    }

    private static async Task<JsonObject> WriteAsync(ApiClient api, JsonObject wish, string path, CancellationToken cancellation)
    {
        try
        {
            return await BackupDirectory.WriteFileAsync(Path.GetFullPath(path), target => ReceiveAsync(api, wish, target, cancellation));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"{path} cannot be written: {e.Message}");
        }
    }

    /// <summary>Takes the bytes and asks afterwards whether they are all, and good.</summary>
    private static async Task<JsonObject> ReceiveAsync(ApiClient api, JsonObject wish, Stream target, CancellationToken cancellation)
    {
        using var response = await api.DownloadAsync(HttpMethod.Post, "backup", wish, cancellation);
        var id = response.Headers.GetValues(BackupEndpoints.IdHeader).First();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var broken = await CopyAsync(response, target, hash, cancellation);
        var verdict = await api.GetAsync($"backup/{id}", cancellation);
        if (verdict.At("problem") is { Length: > 0 } problem)
            throw new CommandFailedException($"no backup was made: {problem}");
        if (broken is not null || verdict.At("sha256") != Convert.ToHexStringLower(hash.GetHashAndReset()))
            throw new CommandFailedException("no backup was made: what arrived here is not what the service sent and verified. Try again.");
        return verdict;
    }

    private static async Task<string?> CopyAsync(HttpResponseMessage response, Stream target, IncrementalHash hash, CancellationToken cancellation)
    {
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        var buffer = new byte[128 * 1024];
        while (true)
        {
            int read;
            try
            {
                read = await body.ReadAsync(buffer, cancellation);
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                return e.Message; // The service gave up; its verdict says why.
            }
            if (read == 0)
                return null;
            hash.AppendData(buffer, 0, read);
            await target.WriteAsync(buffer.AsMemory(0, read), cancellation);
        }
    }

    private static void Tell(Screen screen, JsonObject verdict, string path, string format)
    {
        if (format.IsData())
        {
            verdict["file"] = path;
            screen.WriteData(verdict, format);
            return;
        }
        screen.Output.WriteLine($"{path}: {Words.Size(long.Parse(verdict.At("bytes"), System.Globalization.CultureInfo.InvariantCulture))}, read back and opened");
        screen.Output.WriteLine($"  {verdict.At("hosts")} hosts, {verdict.At("certificates")} certificates, {verdict.At("authorities")} {(verdict.At("authorities") == "1" ? "authority" : "authorities")}, {verdict.At("changes")} changes");
        if (verdict["images"] is JsonArray { Count: > 0 } images && images[0]!.AsObject().At("included") != "true")
        {
            foreach (var line in screen.Wrap($"Images are not in it, but named: {string.Join(", ", images.Select(i => i!.AsObject().At("name")))}", 2))
                screen.Output.WriteLine("  " + line);
        }
        foreach (var need in verdict["needs"] as JsonArray ?? [])
        {
            foreach (var line in screen.Wrap(need!.ToString(), 2))
                screen.Output.WriteLine("  " + screen.Red(line));
        }
    }

    private static async Task<int> ListAsync(Screen screen, ApiClient api, string format, CancellationToken cancellation)
    {
        var answer = await api.GetAsync("backups", cancellation);
        var items = answer["items"]!.AsArray().Select(i => i!.AsObject()).ToList();
        if (format.IsData())
            screen.WriteData(answer, format);
        else if (items.Count == 0)
            screen.Error.WriteLine("There is none yet. The configuration's 'backup' schedules them: docs/operations.md");
        else
            screen.WriteTable(["BACKUP", "AGE", "SIZE", "PLACE"], items.Select(i => (IReadOnlyList<string>)[i.At("name"), Words.Age(i.At("at"), screen.Time), Words.Size(i["bytes"]!.GetValue<long>()), i.At("place")]));
        return CommandLine.Done;
    }
}

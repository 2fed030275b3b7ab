using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Appliance;
using Provisioner.Doctor;
using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Seeds;
using Provisioner.Storage;

namespace Provisioner.Support;

/// <summary>
/// What somebody who helps needs to see, as a tar.gz: what runs, what is registered, what happened, how the machine is. No keys, no tokens, and what
/// people wrote themselves (scripts, templates) is named only: a secret in it would look like nothing else.
/// </summary>
internal sealed class SupportBundle(ApplianceOptions options, CurrentState state, IStore store, Examination examination, SeedKey seeds, BootJournal journal, TimeProvider time)
{
    private const int MostEvents = 10_000;

    private const int MostText = 8 * 1024 * 1024;

    /// <summary>Of resources: texts that people wrote, and what is a secret by its name.</summary>
    private static readonly string[] LeftOut = ["before", "after", "containerdConfig", "kubeletConfig", "passwordHash", "files", "content"];

    /// <summary>What is asked of the machine; a program that is not there is left out.</summary>
    private static readonly (string Name, string Program, string[] Arguments)[] Questions =
    [
        ("uname", "uname", ["-a"]),
        ("disks", "df", ["-hT"]),
        ("inodes", "df", ["-i"]),
        ("memory", "free", ["-h"]),
        ("addresses", "ip", ["-details", "address"]),
        ("routes", "ip", ["route", "show", "table", "all"]),
        ("listening", "ss", ["-lntu"]),
        ("clock", "timedatectl", ["show"]),
        ("unit", "systemctl", ["status", "--no-pager", "--lines=0", "provisioner.service"]),
        ("log", "journalctl", ["--unit=provisioner.service", "--lines=5000", "--no-pager", "--output=short-iso"]),
        ("kernel", "dmesg", ["--level=err,warn", "--time-format=iso"]),
    ];

    /// <param name="output">Stays open.</param>
    public async Task WriteAsync(Stream output, CancellationToken ct)
    {
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        var scrubber = SecretScrubber.For(options, snapshot, seeds);
        await using var zip = new GZipStream(output, CompressionLevel.Optimal, leaveOpen: true);
        await using var tar = new TarWriter(zip, TarEntryFormat.Pax, leaveOpen: true);
        async Task AddAsync(string name, string text)
        {
            var bytes = Encoding.UTF8.GetBytes(scrubber.Scrub(text.Length > MostText ? text[^MostText..] : text));
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, $"provisioner-support/{scrubber.Scrub(name)}") { DataStream = new MemoryStream(bytes), ModificationTime = now }, ct);
        }

        await AddAsync("README.txt", $"""
            Support bundle of {Environment.MachineName}, made on {now:u} by provisioner {ApplianceStatus.Version}.
            Secrets are taken out. Scripts, templates and drop-ins that people wrote are named, not shown.
            It names hosts, addresses and AWS accounts: give it to those who may know them.

            """);
        await AddAsync("doctor.json", Indented(Json.List((await examination.RunAsync(ct)).Select(DoctorEndpoints.Describe))));
        await AddAsync("counts.json", Indented(new JsonObject
        {
            ["version"] = ApplianceStatus.Version,
            ["revision"] = snapshot.Revision,
            ["droppedJournalEntries"] = journal.Dropped,
            ["lastEvent"] = store.LastEventId,
            ["processMemory"] = Environment.WorkingSet,
        }));
        foreach (var kind in ResourceKind.All)
            await AddAsync($"resources/{kind.Plural}.json", Indented(Json.List(snapshot.All(kind.Name).Select(r => Shown(ResourceWriter.ToJson(r))))));
        await AddAsync("installations.json", Indented(Json.List(snapshot.Installations.Values.OrderBy(i => i.Host, StringComparer.Ordinal).Select(i => Json.Of(i, now)))));
        await AddAsync("certificates.json", Indented(Json.List(snapshot.Certificates.Values.OrderBy(c => c.IssuedAt).Select(c => Json.Of(c, snapshot, now)))));
        await AddAsync("alerts.json", Indented(Json.List(snapshot.Alerts.Values.Select(Json.Of))));
        await AddAsync("events.jsonl", string.Concat(store.FindEvents(new EventQuery { Limit = MostEvents }).Select(e => Json.Of(e).ToJsonString(Json.Options) + "\n")));
        if (options.ConfigurationFile is { } configuration && File.Exists(configuration))
            await AddAsync("configuration.yaml", await File.ReadAllTextAsync(configuration, ct));
        await AddAsync("data-directory.txt", string.Concat(Listing(Path.GetFullPath(options.DataDirectory)).Select(line => line + "\n")));
        var logs = Path.Combine(Path.GetFullPath(options.DataDirectory), "logs");
        foreach (var log in Directory.Exists(logs) ? Directory.EnumerateFiles(logs, "*.log").Order(StringComparer.Ordinal).ToList() : [])
            await AddAsync($"logs/{Path.GetFileName(log)}", await File.ReadAllTextAsync(log, ct));
        foreach (var (name, program, arguments) in Questions)
        {
            if (await AskAsync(program, arguments, ct) is { } said)
                await AddAsync($"machine/{name}.txt", said);
        }
    }

    /// <summary>A resource without what people wrote in it.</summary>
    internal static JsonObject Shown(JsonObject resource)
    {
        Hide(resource);
        return resource;
    }

    private static void Hide(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject mapping:
                foreach (var key in mapping.Select(p => p.Key).ToList())
                {
                    if (LeftOut.Contains(key, StringComparer.Ordinal))
                        mapping[key] = $"(left out: {mapping[key]?.ToString().Length ?? 0} characters)";
                    else
                        Hide(mapping[key]);
                }
                break;
            case JsonArray list:
                foreach (var item in list)
                    Hide(item);
                break;
        }
    }

    private static string Indented(JsonObject json) => json.ToJsonString(Json.Indented) + "\n";

    // Names, sizes and modes: not the images' thousands of files.
    private static IEnumerable<string> Listing(string directory, int depth = 0)
    {
        foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos().OrderBy(e => e.Name, StringComparer.Ordinal).Take(500))
        {
            var mode = Convert.ToString((int)entry.UnixFileMode, 8);
            yield return $"{new string(' ', depth * 2)}{mode,4} {(entry as FileInfo)?.Length.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "-",12} {entry.Name}";
            if (entry is DirectoryInfo { LinkTarget: null } && depth < 2)
            {
                foreach (var line in Listing(entry.FullName, depth + 1))
                    yield return line;
            }
        }
    }

    private static async Task<string?> AskAsync(string program, string[] arguments, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(10));
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false })!;
            process.StandardInput.Close();
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            try
            {
                return await process.StandardOutput.ReadToEndAsync(limit.Token) + await error;
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                ct.ThrowIfCancellationRequested();
                return $"'{program}' did not end within ten seconds.";
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null; // Not installed here.
        }
    }
}

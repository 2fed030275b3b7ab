using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Backup;
using Provisioner.Backup.Age;
using Provisioner.Certificates;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates;
using Provisioner.Tests.Certificates.Keys;

namespace Provisioner.Tests.Backup;

public sealed class BackupTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly AgeIdentity identity = new(RandomNumberGenerator.GetBytes(32));

    public BackupTests()
    {
        File.WriteAllText(directory["key.txt"], $"# for tests\n{Bech32.Encode("age-secret-key-", identity.Key).ToUpperInvariant()}\n");
        File.WriteAllText(directory["passphrase"], "a long passphrase\n");
        File.SetUnixFileMode(directory["passphrase"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private string Recipient => identity.Recipient.ToString();

    public void Dispose()
    {
        identity.Dispose();
        directory.Dispose();
    }

    /// <summary>Hosts enrol all the time; a backup is taken in the middle. What was acknowledged before it began is in it, whole.</summary>
    [Fact]
    public async Task Taken_under_load_of_200_enrolments_no_acknowledged_change_is_missing()
    {
        await using var site = await CertificateFixture.StartAsync();
        var names = Enumerable.Range(0, 200).Select(i => $"web-{i}").ToArray();
        await site.RegisterAsync(names);
        var tokens = new List<GivenToken>();
        foreach (var name in names)
            tokens.Add(await site.TokenAsync(name));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var acknowledged = new ConcurrentDictionary<string, string>();
        var began = new TaskCompletionSource();
        async Task EnrolAsync(int from)
        {
            for (var i = from; i < names.Length; i += 8)
            {
                using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                using var certificate = (await new EstClient(site.Appliance).EnrolAsync(tokens[i], EstClient.Request(own, names[i]))).Certificate();
                acknowledged[names[i]] = site.Recorded(certificate).Serial;
                if (acknowledged.Count >= 60)
                    began.TrySetResult();
            }
        }

        var load = Task.WhenAll(Enumerable.Range(0, 8).Select(EnrolAsync));
        await began.Task;
        var before = acknowledged.ToArray();
        (await site.Appliance.RunAsync("backup", directory["b.age"], "--recipient", Recipient)).Succeeded();
        var during = acknowledged.Count;
        await load;
        Assert.InRange(before.Length, 60, 199);

        var said = (await CommandOutcome.OfAsync("", ["restore", directory["b.age"], "--data", directory["new"], "--identity", directory["key.txt"], "-o", "json"])).Succeeded();
        var changes = JsonNode.Parse(said)!["changes"]!.GetValue<long>();
        using (var store = LiteDbStore.Open(directory["new"]))
        {
            var restored = store.LoadSnapshot();
            Assert.Equal(200, restored.Hosts.Count);
            foreach (var (host, serial) in before)
            {
                Assert.Equal(serial, restored.GoodCertificateOf(host, site.Now)?.Serial);
                // Its token is spent there, too.
                Assert.Equal("the host enrolled", restored.Installations[host].ClosedBecause);
            }
            // And nothing half: who has a certificate has spent a token, and the other way round; the two files say the same.
            var enrolled = restored.Certificates.Values.Where(c => c.Purpose == CertificatePurpose.Host).Select(c => c.Host).ToHashSet();
            Assert.InRange(enrolled.Count, before.Length, during + 8);
            Assert.Equal(enrolled.Order(), restored.Installations.Values.Where(i => i.ClosedAt is not null).Select(i => i.Host).Order());
            var journaled = JournalOf(directory["new"]).SelectMany(l => l.Records).Where(r => r.Key.Kind == RecordKind.Certificate).Select(r => r.Key.Id).ToHashSet();
            Assert.Subset(journaled, restored.Certificates.Keys.ToHashSet());
            Assert.True(JournalOf(directory["new"]).Max(l => l.Commit) <= changes);
        }
        // The restored appliance issues by the same authority, and hosts whose tokens were open enrol there.
        await using var elsewhere = await RunningAppliance.StartAsync(new TemporaryDirectory(directory["new"]), time: site.Time);
        Assert.Equal(site.Appliance.Snapshot.IssuingAuthority!.Id, elsewhere.Snapshot.IssuingAuthority!.Id);
        var late = Enumerable.Range(0, 200).First(i => elsewhere.Snapshot.GoodCertificateOf(names[i], site.Now) is null);
        Assert.Equal(200, (await new EstClient(elsewhere).EnrolAsync(tokens[late], EstClient.Request(key, names[late]))).Status);
        var spent = Array.IndexOf(names, before[0].Key);
        (await new EstClient(elsewhere).EnrolAsync(tokens[spent], EstClient.Request(key, names[spent]))).AssertRefused(403, "the token was used already");
    }

    [Fact]
    public async Task The_program_age_opens_it_and_tar_lists_what_is_in_it()
    {
        Tool.SkipWithout("/usr/bin/age", "/usr/bin/tar");
        await using var appliance = await RunningAppliance.StartAsync(more: null);
        Directory.CreateDirectory(Path.Combine(appliance.DataDirectory, "templates", "ipxe"));
        await File.WriteAllTextAsync(Path.Combine(appliance.DataDirectory, "templates", "ipxe", "own.hbs"), "own");
        var said = (await appliance.RunAsync("backup", directory["b.age"], "-r", Recipient)).Succeeded();
        Assert.Contains("read back and opened", said, StringComparison.Ordinal);
        Assert.False(File.Exists(directory["b.age.new"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory["b.age"]));
        Tool.Run("age", "-d", "-i", directory["key.txt"], "-o", directory["b.tar"], directory["b.age"]);
        var list = Tool.Run("tar", "-tf", directory["b.tar"]).Split('\n');
        Assert.Equal("manifest.json", list[0]);
        foreach (var wanted in new[] { "data/provisioner.db", "data/certificates.journal", "data/provisioner.sequence", "data/ca/passphrase", "data/seeds/key", "data/templates/ipxe/own.hbs", $"data/ca/keys/{appliance.Snapshot.IssuingAuthority!.Id}.key" })
            Assert.Contains(wanted, list);
        Assert.DoesNotContain(list, l => l.Contains("lock", StringComparison.Ordinal) || l.Contains(".sock", StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateDirectories(appliance.DataDirectory, ".backup*"));
    }

    [Fact]
    public async Task Damaged_cut_foreign_and_locked_backups_are_refused_before_anything_changes()
    {
        await using (var appliance = await RunningAppliance.StartAsync())
        {
            Assert.Equal(200, (await appliance.ApplyAsync(Site.Network)).Status);
            (await appliance.RunAsync("backup", directory["b.age"], "--recipient", Recipient)).Succeeded();
            (await appliance.RunAsync("backup", directory["p.age"], "--passphrase-file", directory["passphrase"])).Succeeded();
        }
        Directory.CreateDirectory(directory["new"]);
        async Task RefusedAsync(string file, string reason, params string[] by)
        {
            var outcome = await CommandOutcome.OfAsync("", ["restore", file, "--data", directory["new"], .. by.Length == 0 ? ["--identity", directory["key.txt"]] : by]);
            Assert.True(outcome.ExitCode == 1 && outcome.Error.Contains(reason, StringComparison.Ordinal), $"{outcome.ExitCode} {outcome.Error}");
            Assert.Contains("Nothing was changed", outcome.Error, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(directory["new"]));
            Assert.Equal([directory["new"]], Directory.EnumerateDirectories(directory.Path));
        }

        var good = await File.ReadAllBytesAsync(directory["b.age"]);
        var changed = good.ToArray();
        changed[good.Length / 2] ^= 4;
        await File.WriteAllBytesAsync(directory["damaged"], changed);
        await RefusedAsync(directory["damaged"], "it is damaged, within the 64 KiB from");
        foreach (var length in new[] { 10, 100, good.Length / 2, good.Length - 1 })
        {
            await File.WriteAllBytesAsync(directory["cut"], good[..length]);
            await RefusedAsync(directory["cut"], length == 10 ? "not a file of age" : length == 100 ? "header is damaged" : "it is cut short");
        }
        await File.WriteAllTextAsync(directory["foreign"], "PK not a backup at all");
        await RefusedAsync(directory["foreign"], "it is not a file of age");
        await File.WriteAllBytesAsync(directory["foreign"], await AgeTests.EncryptAsync("some text"u8.ToArray(), new AgeLock { Recipients = [identity.Recipient] }));
        await RefusedAsync(directory["foreign"], "not an archive of a backup");
        await File.WriteAllBytesAsync(directory["foreign"], await AgeTests.EncryptAsync(ArchiveOf("""{"kind":"another-program","format":1}"""), new AgeLock { Recipients = [identity.Recipient] }));
        await RefusedAsync(directory["foreign"], "its manifest says that it is something else");
        await File.WriteAllBytesAsync(directory["foreign"], await AgeTests.EncryptAsync(ArchiveOf("""{"kind":"provisioner-backup","format":9,"version":"7.0"}"""), new AgeLock { Recipients = [identity.Recipient] }));
        await RefusedAsync(directory["foreign"], "made by a newer version (7.0, form 9");
        await File.WriteAllBytesAsync(directory["foreign"], await AgeTests.EncryptAsync(ArchiveOf("""{"kind":"provisioner-backup","format":1,"files":[{"path":"data/../../etc/passwd","size":1,"sha256":"00","mode":420}]}"""), new AgeLock { Recipients = [identity.Recipient] }));
        await RefusedAsync(directory["foreign"], "which is no path of a backup");
        await RefusedAsync(directory["p.age"], "the passphrase is not the one", "--passphrase-file", WriteSecret("another passphrase"));
        using var other = new AgeIdentity(RandomNumberGenerator.GetBytes(32));
        await File.WriteAllTextAsync(directory["other.txt"], Bech32.Encode("age-secret-key-", other.Key).ToUpperInvariant());
        await RefusedAsync(directory["b.age"], "none of the secret keys given belongs to it", "--identity", directory["other.txt"]);

        // The same file, whole, by the passphrase from standard input.
        var restored = await CommandOutcome.OfAsync("a long passphrase\n", ["restore", directory["p.age"], "--data", directory["new"]]);
        Assert.Contains("0 hosts", restored.Succeeded(), StringComparison.Ordinal);
        using var store = LiteDbStore.Open(directory["new"]);
        Assert.True(store.LoadSnapshot().Networks.ContainsKey("lab"));
    }

    [Fact]
    public async Task A_directory_in_use_or_not_empty_is_left_alone_and_replaced_only_when_said()
    {
        await using var site = await CertificateFixture.StartAsync();
        await site.RegisterAsync("web-1", "web-2");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var one = (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-1"), EstClient.Request(key, "web-1"))).Certificate();
        (await site.Appliance.RunAsync("backup", directory["b.age"], "--recipient", Recipient)).Succeeded();
        // Issued after the backup: with --replace, the journal that is there still knows it.
        using var otherKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var two = (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-2"), EstClient.Request(otherKey, "web-2"))).Certificate();
        var (data, serial) = (site.Appliance.DataDirectory, site.Recorded(two).Serial);
        Task<CommandOutcome> RestoreAsync(params string[] more) => CommandOutcome.OfAsync("", ["restore", directory["b.age"], "--data", data, "-i", directory["key.txt"], .. more]);

        Assert.Contains("is in use by", (await RestoreAsync("--replace")).Error, StringComparison.Ordinal);
        Assert.Contains("is not empty", (await RestoreAsync()).Error, StringComparison.Ordinal);
        await site.Appliance.DisposeAsync();
        Assert.Contains("say --replace", (await RestoreAsync()).Error, StringComparison.Ordinal);
        var said = (await RestoreAsync("--replace")).Succeeded();
        Assert.Contains("what was issued and revoked since is known as well", string.Join(' ', said.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        var aside = Assert.Single(Directory.EnumerateDirectories(Path.GetDirectoryName(data)!, $"{Path.GetFileName(data)}.before-*"));
        try
        {
            Assert.True(File.Exists(Path.Combine(aside, "provisioner.db")));
            await site.RestartAsync();
            Assert.Equal(2, site.Appliance.Snapshot.Hosts.Count);
            Assert.True(site.Appliance.Snapshot.Certificates.ContainsKey(serial));
        }
        finally
        {
            Directory.Delete(aside, recursive: true);
        }
    }

    /// <summary>A file system of its own, as an appliance has for its data: its root cannot be renamed, so that what is in it is moved.</summary>
    [Fact]
    public async Task Where_the_data_is_a_file_system_of_its_own_what_was_there_is_kept_inside_it()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/usr/bin/unshare"), "mounting needs root, and unshare");
        await using (var from = await RunningAppliance.StartAsync())
        {
            await from.ApplyAsync(Site.Network);
            (await from.RunAsync("backup", directory["b.age"], "--recipient", Recipient)).Succeeded();
        }
        Directory.CreateDirectory(directory["disk"]);
        Directory.CreateDirectory(directory["other"]);
        using (var other = new TemporaryDirectory())
        {
            await using (var old = await RunningAppliance.StartAsync(other))
                await old.ApplyAsync(Site.Network.Replace("name: lab", "name: old", StringComparison.Ordinal));
            foreach (var entry in Directory.EnumerateFileSystemEntries(other.Path))
                Directory.Move(entry, Path.Combine(directory["disk"], Path.GetFileName(entry)));
        }
        Directory.CreateDirectory(directory["disk/lost+found"]);

        async Task<(int Code, string Said)> RestoreAsync(params string[] more)
        {
            var start = new ProcessStartInfo("/usr/bin/unshare") { RedirectStandardOutput = true, RedirectStandardError = true };
            string[] arguments = ["-m", "sh", "-c", "mount --bind \"$0\" \"$0\" && exec \"$@\"", directory["disk"], "dotnet", Path.Combine(AppContext.BaseDirectory, "provisioner.dll"),
                "restore", directory["b.age"], "--data", directory["disk"], "-i", directory["key.txt"], .. more];
            foreach (var argument in arguments)
                start.ArgumentList.Add(argument);
            using var run = Process.Start(start)!;
            var (output, error) = (run.StandardOutput.ReadToEndAsync(), run.StandardError.ReadToEndAsync());
            await run.WaitForExitAsync();
            return (run.ExitCode, await output + await error);
        }

        Assert.Equal(1, (await RestoreAsync()).Code);
        var (code, said) = await RestoreAsync("--replace");
        Assert.True(code == 0, said);
        var aside = Assert.Single(Directory.EnumerateDirectories(directory["disk"], "before-*"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(directory["disk"], ".restoring-*"));
        Assert.True(Directory.Exists(directory["disk/lost+found"]));
        using (var restored = LiteDbStore.Open(directory["disk"]))
            Assert.Equal(["lab"], restored.LoadSnapshot().Networks.Keys);
        using (var before = LiteDbStore.Open(aside))
            Assert.Equal(["old"], before.LoadSnapshot().Networks.Keys);
        // It is not carried from backup to backup.
        using var disk = new TemporaryDirectory(directory["disk"]);
        await using var again = await RunningAppliance.StartAsync(disk);
        (await again.RunAsync("backup", directory["second.age"], "--recipient", Recipient)).Succeeded();
        (await CommandOutcome.OfAsync("", ["restore", directory["second.age"], "--data", directory["third"], "-i", directory["key.txt"]])).Succeeded();
        Assert.Empty(Directory.EnumerateDirectories(directory["third"], "before-*"));
    }

    [Fact]
    public async Task The_authority_is_rebuilt_from_the_journal_alone()
    {
        string authority, serial;
        await using (var site = await CertificateFixture.StartAsync())
        {
            await site.RegisterAsync("web-1", "web-2");
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var certificate = (await new EstClient(site.Appliance).EnrolAsync(await site.TokenAsync("web-1"), EstClient.Request(key, "web-1"))).Certificate();
            (authority, serial) = (site.Appliance.Snapshot.IssuingAuthority!.Id, site.Recorded(certificate).Serial);
            (await site.Appliance.RunAsync("ca", "revoke", "web-1", "--reason", "keyCompromise")).Succeeded();
            File.Copy(Path.Combine(site.Appliance.DataDirectory, "certificates.journal"), directory["journal"]);
        }
        var said = (await CommandOutcome.OfAsync("", ["ca", "rebuild", "--data", directory["new"], "--journal", directory["journal"]])).Succeeded();
        Assert.Contains("its key is missing", said, StringComparison.Ordinal);
        using (var store = LiteDbStore.Open(directory["new"]))
        {
            var rebuilt = store.LoadSnapshot();
            Assert.Equal(authority, rebuilt.IssuingAuthority!.Id);
            Assert.Equal(RevocationReason.KeyCompromise, rebuilt.Certificates[serial].RevokedBecause);
            Assert.Empty(rebuilt.Hosts);
        }
        Assert.Contains("nothing to rebuild", (await CommandOutcome.OfAsync("", ["ca", "rebuild", "--data", directory["new"]])).Error, StringComparison.Ordinal);

        // A database cut short: what is left of it is kept, and the journal beside it fills another.
        using (var database = File.OpenHandle(directory["new/provisioner.db"], FileMode.Open, FileAccess.ReadWrite))
            RandomAccess.SetLength(database, RandomAccess.GetLength(database) - 8192);
        Assert.Contains("'provisioner ca rebuild --data", Assert.Throws<StoreException>(() => LiteDbStore.Open(directory["new"])).Message, StringComparison.Ordinal);
        Assert.Contains("2 certificates, 1 of them revoked", (await CommandOutcome.OfAsync("", ["ca", "rebuild", "--data", directory["new"]])).Succeeded(), StringComparison.Ordinal);
        Assert.Single(Directory.EnumerateFiles(directory["new"], "provisioner.db.damaged-*"));
        using (var store = LiteDbStore.Open(directory["new"]))
            Assert.Contains(serial, store.LoadSnapshot().Revoked);

        // A journal with a damaged line is refused, and names it.
        var lines = await File.ReadAllLinesAsync(directory["journal"]);
        lines[1] = lines[1].Replace("\"commit\"", "\"Commit\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(directory["journal"], string.Join('\n', lines) + "\n");
        var refused = await CommandOutcome.OfAsync("", ["ca", "rebuild", "--data", directory["other"], "--journal", directory["journal"]]);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("is damaged in line 2", refused.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(directory["other"]));
    }

    [Fact]
    public async Task On_a_schedule_they_are_kept_by_count_and_age()
    {
        var time = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
        var options = new BackupOptions { Recipients = [Recipient], Every = TimeSpan.FromHours(6), Keep = 3, KeepFor = TimeSpan.FromDays(2) };
        await using var appliance = await RunningAppliance.StartAsync(time: time, backup: options);
        var service = appliance.Services.GetRequiredService<BackupService>();
        await UntilAsync(() => service.Last is not null, time, TimeSpan.FromSeconds(20));
        var first = service.Last!;
        Assert.InRange(time.GetUtcNow() - first.At, TimeSpan.Zero, TimeSpan.FromMinutes(2));
        await UntilAsync(() => service.Last!.At > first.At, time, TimeSpan.FromMinutes(15));
        Assert.InRange(service.Last!.At - first.At, TimeSpan.FromHours(6), TimeSpan.FromHours(6.6));
        // Asked for as well; three stay.
        for (var i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromMinutes(1));
            (await appliance.RunAsync("backup", "--scheduled")).Succeeded();
        }
        Assert.Equal(3, Directory.EnumerateFiles(Path.Combine(appliance.DataDirectory, "backups")).Count());
        Assert.Equal(4, (await appliance.RunAsync("backup", "--list")).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        // One of them opens.
        (await CommandOutcome.OfAsync("", ["restore", Path.Combine(appliance.DataDirectory, "backups", service.Last!.Name), "--data", directory["new"], "-i", directory["key.txt"]])).Succeeded();
    }

    [Fact]
    public async Task A_scheduled_backup_that_fails_is_an_alert_until_one_succeeds()
    {
        await File.WriteAllTextAsync(directory["blocked"], "a file where the directory is to be");
        await using var appliance = await RunningAppliance.StartAsync(backup: new BackupOptions { Recipients = [Recipient], Directory = directory["blocked"] });
        var refused = await appliance.RunAsync("backup", "--scheduled");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(directory["blocked"], refused.Error, StringComparison.Ordinal);
        Assert.Contains(BackupService.FailedAlert, appliance.Snapshot.Alerts.Keys);
        File.Delete(directory["blocked"]);
        (await appliance.RunAsync("backup", "--scheduled")).Succeeded();
        Assert.DoesNotContain(BackupService.FailedAlert, appliance.Snapshot.Alerts.Keys);
    }

    [Fact]
    public void Retention_never_removes_the_newest()
    {
        var now = new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
        KeptBackup Of(int days) => new(BackupNames.At(now.AddDays(-days)), now.AddDays(-days), 1);
        Assert.Equal([Of(3), Of(40)], BackupRetention.ToRemove([Of(40), Of(1), Of(2), Of(3)], keep: 2, TimeSpan.FromDays(30), now));
        Assert.Equal([Of(40)], BackupRetention.ToRemove([Of(2), Of(40)], keep: 9, TimeSpan.FromDays(30), now));
        Assert.Empty(BackupRetention.ToRemove([Of(400)], keep: 1, TimeSpan.FromDays(30), now));
        Assert.Equal(now, BackupNames.TimeOf(BackupNames.At(now)));
        Assert.Null(BackupNames.TimeOf("provisioner-yesterday.tar.age"));
        Assert.Null(BackupNames.TimeOf("photos.tar.age"));
    }

    private static IEnumerable<JournalLine> JournalOf(string data)
    {
        using var journal = RecordJournal.Open(Path.Combine(data, "certificates.journal"));
        return [.. journal.Read(0)];
    }

    private static byte[] ArchiveOf(string manifest)
    {
        var archive = new MemoryStream();
        using (var tar = new System.Formats.Tar.TarWriter(archive, leaveOpen: true))
            tar.WriteEntry(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.RegularFile, BackupManifest.EntryName) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(manifest)) });
        return archive.ToArray();
    }

    private string WriteSecret(string text)
    {
        File.WriteAllText(directory["secret"], text + "\n");
        File.SetUnixFileMode(directory["secret"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return directory["secret"];
    }

    private static async Task UntilAsync(Func<bool> holds, FakeTimeProvider time, TimeSpan step)
    {
        for (var i = 0; i < 400; i++)
        {
            // What the step woke has its own threads to run on.
            for (var j = 0; j < 10; j++)
            {
                if (holds())
                    return;
                await Task.Delay(10);
            }
            time.Advance(step);
        }
        Assert.Fail("it never came");
    }
}

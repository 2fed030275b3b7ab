using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Appliance;
using Provisioner.Artifacts;
using Provisioner.Backup;
using Provisioner.Boot.Dhcp;
using Provisioner.Certificates;
using Provisioner.Doctor;
using Provisioner.Events;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Networks;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Protocols.Dhcp;
using Provisioner.Resources;
using Provisioner.Seeds;
using Provisioner.Storage;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Certificates;
using Provisioner.Tests.Storage;

namespace Provisioner.Tests.Doctor;

public sealed class DoctorTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Each_finding_says_what_it_breaks_and_what_to_do_and_one_that_fails_ends_with_1()
    {
        var clock = new StandingClock();
        await using var appliance = await RunningAppliance.StartAsync(clock: clock);
        var well = await appliance.RunAsync("doctor", "--all");
        // Only the scheduled backups are missing on a fresh appliance, which is no failure.
        Assert.True(well.ExitCode == 0, well.Output);
        foreach (var code in new[] { "disk-space", "disk-inodes", "database", "clock", "issuing", "own-certificate", "port:http", "port:tftp", "port:dhcp:", "cache", "backup" })
            Assert.Contains(code, well.Output, StringComparison.Ordinal);
        Assert.Contains("No backups are scheduled", well.Output, StringComparison.Ordinal);
        Assert.All(well.Output.Split('\n'), line => Assert.InRange(line.Length, 0, 80));

        clock.Status = new ClockStatus(false, "the test says so");
        Assert.Equal(200, (await appliance.ApplyAsync(Site.Network)).Status);
        var ill = await appliance.RunAsync("doctor", "-o", "json");
        Assert.Equal(1, ill.ExitCode);
        var findings = JsonNode.Parse(ill.Output)!["items"]!.AsArray().Select(f => f!.AsObject()).DistinctBy(f => f["code"]!.GetValue<string>()).ToDictionary(f => f["code"]!.GetValue<string>());
        Assert.Contains("the test says so", findings["clock"]["found"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal("fail", findings["interface:lab0"]["verdict"]!.GetValue<string>());
        Assert.Contains("no such interface", findings["interface:lab0"]["found"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal("skip", findings["other-servers:lab"]["verdict"]!.GetValue<string>());
        Assert.All(findings.Values.Where(f => f["verdict"]!.GetValue<string>() is "fail" or "warn"), f =>
        {
            Assert.NotEqual("", f["breaks"]!.GetValue<string>());
            Assert.NotEqual("", f["ask"]!.GetValue<string>());
        });
    }

    [Fact]
    public async Task What_cannot_be_reached_is_named_and_what_can_is_not()
    {
        using var there = new TcpListener(IPAddress.Loopback, 0);
        there.Start();
        using var gone = new TcpListener(IPAddress.Loopback, 0);
        gone.Start();
        var (open, shut) = (((IPEndPoint)there.LocalEndpoint).Port, ((IPEndPoint)gone.LocalEndpoint).Port);
        gone.Stop();
        await using var appliance = await RunningAppliance.StartAsync(artifacts: new ArtifactOptions
        {
            BuiltIn = false,
            Upstreams = [new Upstream("near", new Uri($"http://127.0.0.1:{open}/")), new Upstream("far", new Uri($"http://127.0.0.1:{shut}/"))],
        });
        var said = (await appliance.RunAsync("doctor", "--all")).Output;
        Assert.Contains($"127.0.0.1:{open} is reached", said, StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1:{shut} is not reached", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_damaged_while_it_is_open_and_an_old_backup_are_found()
    {
        var time = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
        using var identity = new Provisioner.Backup.Age.AgeIdentity(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        await using var appliance = await RunningAppliance.StartAsync(time: time, backup: new BackupOptions { Recipients = [identity.Recipient.ToString()], Directory = directory["backups"], Every = TimeSpan.FromDays(30) });
        (await appliance.RunAsync("backup", "--scheduled")).Succeeded();
        async Task<Finding> FindAsync(string code) => (await appliance.Services.GetRequiredService<Examination>().RunAsync(default)).Single(f => f.Code == code);
        Assert.Equal(Verdict.Pass, (await FindAsync("backup")).Verdict);
        var file = Assert.Single(Directory.EnumerateFiles(directory["backups"]));
        File.Move(file, directory[$"backups/{BackupNames.At(time.GetUtcNow().AddDays(-61))}"]);
        Assert.Equal(Verdict.Fail, (await FindAsync("backup")).Verdict);

        Assert.Equal(Verdict.Pass, (await FindAsync("database")).Verdict);
        await using (var database = new FileStream(Path.Combine(appliance.DataDirectory, "provisioner.db"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            database.Position = 3 * 8192;
            database.Write(new byte[16]);
        }
        var damaged = await FindAsync("database");
        Assert.Equal(Verdict.Fail, damaged.Verdict);
        Assert.Contains("page 3 is not itself", damaged.Found, StringComparison.Ordinal);
        // Nor is a backup made of it.
        Assert.Contains("page 3 is not itself", (await appliance.RunAsync("backup", directory["b.age"], "-r", identity.Recipient.ToString())).Error, StringComparison.Ordinal);
        Assert.False(File.Exists(directory["b.age"]) || File.Exists(directory["b.age.new"]));
    }

    [Theory]
    [InlineData(1000, 50, 1000, 900, false, "disk-space", Verdict.Fail)]
    [InlineData(100_000_000_000, 500_000_000, 1000, 900, false, "disk-space", Verdict.Fail)]
    [InlineData(100_000_000_000, 5_000_000_000, 1000, 900, false, "disk-space", Verdict.Warn)]
    [InlineData(10_000_000_000_000, 500_000_000_000, 1000, 900, false, "disk-space", Verdict.Pass)]
    [InlineData(100_000_000_000, 50_000_000_000, 1000, 5, false, "disk-inodes", Verdict.Fail)]
    [InlineData(100_000_000_000, 50_000_000_000, 1000, 30, false, "disk-inodes", Verdict.Warn)]
    [InlineData(100_000_000_000, 50_000_000_000, 1000, 900, true, "disk-writable", Verdict.Fail)]
    public void A_disk_is_judged_by_what_is_left(long total, long free, long inodes, long freeInodes, bool readOnly, string code, object verdict) =>
        Assert.Equal(verdict, DiskChecks.Of("/data", new FileSystemUsage(total, free, inodes, freeInodes, readOnly)).Single(f => f.Code == code).Verdict);

    [Fact]
    public void The_usage_of_a_real_disk_is_what_df_says()
    {
        var usage = FileSystemUsage.Of("/");
        var said = Provisioner.Tests.Certificates.Keys.Tool.Run("df", "-B1", "--output=size,itotal", "/").Split('\n')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(said[0], $"{usage.TotalBytes}");
        Assert.Equal(said[1], $"{usage.TotalInodes}");
        Assert.False(usage.IsReadOnly);
        Assert.Throws<IOException>(() => FileSystemUsage.Of("/nowhere"));
    }

    /// <summary>What an answer on the wire says of its sender, and what that means for a Network.</summary>
    [Fact]
    public void Servers_are_named_by_their_address_and_judged_by_the_network_s_mode()
    {
        var mac = new MacAddress(0x0200_0000_0001);
        Span<byte> question = new byte[DhcpDiscover.MaximumLength];
        var length = DhcpDiscover.Write(question, mac, 0x1234, "probe-x"u8);
        Assert.True(DhcpPacket.TryParse(question[..length], out var asked, out var reason), reason);
        Assert.Equal(DhcpMessageType.Discover, asked.MessageType);
        Assert.True(asked.HasUserClass("probe-x"u8) && asked.VendorClassStartsWith("PXEClient"u8) && asked.ClientArchitecture == 7);

        var offer = new byte[DhcpPacket.MaximumLength];
        var writer = new DhcpReplyWriter(offer, asked, DhcpMessageType.Offer) { Yiaddr = Ipv4Address.Parse("10.77.0.50") };
        writer.Add(DhcpOption.ServerIdentifier, Ipv4Address.Parse("10.77.0.66"));
        writer.Add(DhcpOption.BootFileName, "evil.efi"u8);
        var heard = ServerProbe.Read(offer.AsSpan(0, writer.Complete()), 0x1234, Ipv4Address.Parse("10.77.0.9"))!;
        Assert.Equal(("10.77.0.66", "evil.efi", true, true), (heard.Address.ToString(), heard.BootFile, heard.Boots, heard.GivesAddresses));
        Assert.Null(ServerProbe.Read(offer, 0x9999, default));
        Assert.Null(ServerProbe.Read(question[..length], 0x1234, default));
        Assert.Null(ServerProbe.Read([1, 2, 3], 0x1234, default));

        Network Of(DhcpMode mode) => new(new Metadata("lab"), new NetworkSpec { Subnet = Ipv4Cidr.Parse("10.77.0.0/24"), Interface = "lab0", Dhcp = mode });
        Finding Judge(DhcpMode mode, params HeardServer[] servers) => Assert.Single(OtherServers.Findings(Of(mode), servers));
        var plain = heard with { BootFile = null, Boots = false };
        Assert.Equal(Verdict.Fail, Judge(DhcpMode.Reserve, plain).Verdict);
        Assert.Contains("10.77.0.66", Judge(DhcpMode.Reserve, plain).Found, StringComparison.Ordinal);
        Assert.Equal(Verdict.Pass, Judge(DhcpMode.Reserve).Verdict);
        // The site's own DHCP server is what a proxy needs; one that names a boot file is not.
        Assert.Equal(Verdict.Pass, Judge(DhcpMode.Proxy, plain).Verdict);
        Assert.Equal(Verdict.Warn, Judge(DhcpMode.Proxy, heard).Verdict);
        Assert.Contains("evil.efi", Judge(DhcpMode.Proxy, heard).Found, StringComparison.Ordinal);
        Assert.Contains("No DHCP server answers", Judge(DhcpMode.Proxy).Found, StringComparison.Ordinal);
        Assert.Equal(Verdict.Pass, Judge(DhcpMode.Off, heard).Verdict);
    }

    [Fact]
    public async Task Events_go_by_age_and_logs_by_age_and_size()
    {
        var time = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
        await using var fixture = new StoreFixture(time: time);
        async Task RecordAsync(int count) => await fixture.Writer.ChangeAsync(editor =>
        {
            for (var i = 0; i < count; i++)
                editor.Record(StoreFixture.Event($"at {editor.Now:u}") with { At = editor.Now });
            return 0;
        });
        await RecordAsync(4_500);
        time.AdjustTime(time.GetUtcNow().AddDays(20));
        await RecordAsync(10);
        time.AdjustTime(time.GetUtcNow().AddDays(20));
        var options = new ApplianceOptions { DataDirectory = fixture.Directory, Events = new EventSettings { KeepFor = TimeSpan.FromDays(30) }, Logs = new LogSettings { KeepFor = TimeSpan.FromDays(30), MaximumSize = 1 } };
        var logs = Directory.CreateDirectory(Path.Combine(fixture.Directory, "logs")).FullName;
        void Log(string name, int kilobytes, int days)
        {
            File.WriteAllBytes(Path.Combine(logs, name), new byte[kilobytes * 1024]);
            File.SetLastWriteTimeUtc(Path.Combine(logs, name), time.GetUtcNow().UtcDateTime.AddDays(-days));
        }

        Log("new.log", 600, 1);
        Log("next.log", 400, 2);
        Log("too-much.log", 100, 3);
        Log("too-old.log", 1, 31);
        using var retention = new Retention(options, fixture.Store, fixture.Writer, time, Microsoft.Extensions.Logging.Abstractions.NullLogger<Retention>.Instance);
        Assert.Equal((4_500, 2), await retention.RunAsync(default));
        Assert.Equal(["new.log", "next.log"], Directory.EnumerateFiles(logs).Select(Path.GetFileName).Order());
        Assert.Equal(10, fixture.Store.FindEvents(new EventQuery { Limit = 10_000 }).Count);
        Assert.Equal((0, 0), await retention.RunAsync(default));
        // Ids go on from where they were.
        await RecordAsync(1);
        Assert.Equal(4_511, fixture.Store.LastEventId);
    }

    [Fact]
    public async Task A_support_bundle_holds_what_helps_and_no_secret_though_they_are_everywhere()
    {
        var planted = new List<string>();
        string Plant(string secret)
        {
            planted.Add(secret);
            return secret;
        }

        File.WriteAllText(directory["pass"], Plant("the-backups-own-passphrase") + "\n");
        File.SetUnixFileMode(directory["pass"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var appliance = await RunningAppliance.StartAsync(backup: new BackupOptions { PassphraseFile = directory["pass"], Directory = directory["backups"] });
        var data = appliance.DataDirectory;
        planted.Add(File.ReadAllText(Path.Combine(data, "ca", "passphrase")).Trim());
        planted.Add(File.ReadAllText(Path.Combine(data, "seeds", "key")).Trim());
        planted.AddRange(Directory.EnumerateFiles(Path.Combine(data, "ca", "keys")).SelectMany(File.ReadAllLines).Where(l => !l.StartsWith('-') && l.Length > 20));
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(StoreFixture.Image());
            editor.Put(new Profile(new Metadata("worker"), new ProfileSpec
            {
                Image = "debian-12",
                Install = new InstallOptions
                {
                    Users = [new UserOptions { Name = "admin", PasswordHash = Plant("$6$saltsalt$abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789") }],
                    After = $"curl -H 'X-Key: {Plant("hunter2-in-a-script")}' https://example.com/",
                    KernelArguments = [$"password={Plant("kernel-argument-secret")}"],
                },
            }));
            editor.Put(StoreFixture.Host(1, "worker"));
            return 0;
        });
        (await appliance.RunAsync("provision", "worker-1")).Succeeded();
        var token = (await appliance.RunAsync("token", "worker-1")).Succeeded().Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).MaxBy(w => w.Length)!;
        planted.Add(token);
        var seeds = appliance.Services.GetRequiredService<SeedKey>();
        var installation = appliance.Snapshot.Installations["worker-1"];
        planted.AddRange([seeds.CapabilityOf(installation), seeds.TokenOf(installation), seeds.DiskPassphraseOf(installation)]);
        var said = string.Join(' ',
        [
            $"password: {Plant("said-by-the-installer")}",
            $"Authorization: Bearer {Plant("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")}",
            $"https://user:{Plant("url-password")}@mirror.example.com/",
            Plant("AKIAIOSFODNN7EXAMPLE"),
            $"aws_secret_access_key = {Plant("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")}",
            Plant("AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGP"),
            $"-----BEGIN PRIVATE KEY-----{Plant("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQ")}-----END PRIVATE KEY-----",
            $"the token was {token}, and the disk opens by {seeds.DiskPassphraseOf(installation)}",
            $"GET /seed/{seeds.CapabilityOf(installation)}/ks.cfg",
        ]);
        Directory.CreateDirectory(Path.Combine(data, "logs"));
        await File.WriteAllTextAsync(Path.Combine(data, "logs", "worker-1.log"), $"a line that helps\n{said}\n");
        Directory.CreateDirectory(Path.Combine(data, "templates"));
        await File.WriteAllTextAsync(Path.Combine(data, "templates", "own.hbs"), Plant("template-secret"));
        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Record(StoreFixture.Event(said, "worker-1"));
            editor.Raise(new Alert { Id = "test", Severity = AlertSeverity.Warning, Message = said, Remedy = "none" });
            return 0;
        });

        Assert.Contains("b.tar.gz", (await appliance.RunAsync("support", directory["b.tar.gz"])).Succeeded(), StringComparison.Ordinal);
        var files = await ReadAsync(directory["b.tar.gz"]);
        foreach (var name in new[] { "README.txt", "doctor.json", "events.jsonl", "alerts.json", "certificates.json", "resources/hosts.json", "resources/profiles.json", "logs/worker-1.log", "data-directory.txt", "machine/disks.txt" })
            Assert.Contains($"provisioner-support/{name}", files.Keys);
        Assert.Contains("a line that helps", files["provisioner-support/logs/worker-1.log"], StringComparison.Ordinal);
        Assert.Contains("worker-1", files["provisioner-support/resources/hosts.json"], StringComparison.Ordinal);
        Assert.Contains("own.hbs", files["provisioner-support/data-directory.txt"], StringComparison.Ordinal);
        Assert.Contains("REDACTED", files["provisioner-support/events.jsonl"], StringComparison.Ordinal);
        Assert.InRange(planted.Count, 18, 1_000);
        foreach (var secret in planted)
        {
            foreach (var (name, text) in files)
                Assert.False(text.Contains(secret, StringComparison.Ordinal), $"{name} holds '{secret}'");
        }
    }

    private static async Task<Dictionary<string, string>> ReadAsync(string bundle)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        await using var zip = new GZipStream(File.OpenRead(bundle), CompressionMode.Decompress);
        await using var tar = new TarReader(zip);
        while (await tar.GetNextEntryAsync() is { } entry)
        {
            using var reader = new StreamReader(entry.DataStream ?? Stream.Null, Encoding.UTF8);
            files.Add(entry.Name, await reader.ReadToEndAsync());
        }
        return files;
    }
}

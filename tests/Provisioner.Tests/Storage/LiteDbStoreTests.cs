using System.Diagnostics;
using System.Globalization;
using CsCheck;
using LiteDB;
using Provisioner.Hosts;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Storage;
using Provisioner.Tests.Resources;

namespace Provisioner.Tests.Storage;

public sealed class LiteDbStoreTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("provisioner-store-").FullName;

    private string DatabasePath => Path.Combine(directory, "provisioner.db");

    public void Dispose() => Directory.Delete(directory, recursive: true);

    [Fact]
    public async Task Gives_back_after_a_restart_what_was_stored()
    {
        Snapshot before;
        var resources = ResourceGen.Any.Array[60].Single();
        await using (var fixture = new StoreFixture(directory))
        {
            await fixture.Writer.ChangeAsync(editor =>
            {
                foreach (var (resource, i) in resources.Select((r, i) => (r, i)))
                {
                    switch (resource)
                    {
                        case Provisioner.Hosts.Host host:
                            editor.Put(host with { Metadata = host.Metadata with { Name = $"h-{i}" }, Spec = host.Spec with { MacAddresses = [new MacAddress((ulong)i + 1)], BootMacAddress = null } });
                            break;
                        case Provisioner.Profiles.Profile profile:
                            editor.Put(profile);
                            break;
                        case Provisioner.Images.Image image:
                            editor.Put(image);
                            break;
                        case Network network:
                            editor.Put(network);
                            break;
                    }
                }
                editor.Put(StoreFixture.Image());
                editor.Put(StoreFixture.Profile());
                editor.Put(StoreFixture.Host(900_000, "worker"));
                editor.Put(new Discovered(new MacAddress(0xAABB)) { Vendor = "  spaces \t kept ", LastSeen = editor.Now, Serial = "" });
                editor.Put(new Lease(Ipv4Address.Parse("10.0.0.9"), new MacAddress(7), "net", editor.Now) { Declined = true, HostName = "x" });
                HostChanges.Provision(editor, "worker-900000", null, "me");
                return 0;
            });
            before = fixture.State.Snapshot;
        }
        await using (var fixture = new StoreFixture(directory))
        {
            var after = fixture.State.Snapshot;
            Assert.Equal(RecordJson.Write(before), RecordJson.Write(after));
            Assert.Equal(before.HostByMacAddress.Count, after.HostByMacAddress.Count);
            Assert.Equal("  spaces \t kept ", after.Discovered[new MacAddress(0xAABB)].Vendor);
            Assert.Equal("worker-900000", after.Installations["worker-900000"].Host);
            var lease = Assert.Single(fixture.Store.LoadLeases());
            Assert.Equal((Ipv4Address.Parse("10.0.0.9"), true, "x"), (lease.Address, lease.Declined, lease.HostName));
            Assert.Equal("Installation opened", fixture.Events.Find(new EventQuery())[^1].What[..19]);
        }
    }

    [Fact]
    public async Task Is_refused_to_a_second_process_with_the_holder_named()
    {
        await using var fixture = new StoreFixture(directory);
        using var child = ChildProcess.Start("write", directory);
        var error = await child.StandardError.ReadToEndAsync();
        await child.WaitForExitAsync();
        Assert.Equal(1, child.ExitCode);
        Assert.Contains($"{directory} is in use by another process, {Environment.ProcessId}: stop that one first", error, StringComparison.Ordinal);
        var twice = Assert.Throws<StoreException>(() => LiteDbStore.Open(directory));
        Assert.Contains("is in use by another process", twice.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Loses_no_acknowledged_change_when_the_process_is_killed()
    {
        var acknowledged = -1;
        for (var round = 0; round < 4; round++)
        {
            using var child = ChildProcess.Start("write", directory);
            // Killed in the middle of its work, at another moment each time.
            var target = acknowledged + 15 + round * 23;
            while (await child.StandardOutput.ReadLineAsync() is { } line)
            {
                acknowledged = int.Parse(line, CultureInfo.InvariantCulture);
                if (acknowledged >= target)
                    break;
            }
            child.Kill();
            while (await child.StandardOutput.ReadLineAsync() is { } line)
                acknowledged = int.TryParse(line, CultureInfo.InvariantCulture, out var more) ? more : acknowledged;
            await child.WaitForExitAsync();
            Assert.True(acknowledged >= target, await child.StandardError.ReadToEndAsync());

            await using var fixture = new StoreFixture(directory);
            Assert.All(Enumerable.Range(0, acknowledged + 1), i => Assert.True(fixture.State.Snapshot.Hosts.ContainsKey($"worker-{i}"), $"worker-{i} of {acknowledged} is lost"));
            Assert.Equal($"put {acknowledged}", fixture.Events.Find(new EventQuery { Host = $"worker-{acknowledged}" })[^1].What);
        }
    }

    [Fact]
    public async Task Goes_on_when_the_disk_is_full_and_writes_again_when_there_is_room()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/usr/bin/unshare"), "needs root, to mount a small file system in a namespace of its own");
        var mount = Directory.CreateDirectory(Path.Combine(directory, "small")).FullName;
        var start = new ProcessStartInfo("/usr/bin/unshare") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { "-m", "sh", "-c", $"mount -t tmpfs -o size=4m tmpfs {mount} && exec dotnet {typeof(ChildProcess).Assembly.Location} {mount}" })
            start.ArgumentList.Add(argument);
        start.Environment["PROVISIONER_TEST_CHILD"] = "write-until-full";
        using var child = Process.Start(start)!;
        var error = child.StandardError.ReadToEndAsync();
        var lines = (await child.StandardOutput.ReadToEndAsync()).TrimEnd().Split('\n');
        await child.WaitForExitAsync();
        Assert.True(child.ExitCode == 0, string.Join('\n', lines) + await error);
        Assert.StartsWith("refused: the change ", lines[0], StringComparison.Ordinal);
        Assert.Contains("No space left", lines[0], StringComparison.Ordinal);
        var written = int.Parse(lines[1].Split(' ', ',')[1], CultureInfo.InvariantCulture);
        Assert.True(written > 0);
        Assert.Equal($"acknowledged {written}, in the snapshot {written}", lines[1]);
        // The change that was not acknowledged may be there; what readers see and what is stored is the same.
        Assert.Contains(lines[2], new[] { $"after room was made {written + 1}, stored {written + 1}", $"after room was made {written + 2}, stored {written + 2}" });
    }

    [Fact]
    public async Task Refuses_a_file_that_was_cut_anywhere()
    {
        await WriteSomeAsync();
        var whole = await File.ReadAllBytesAsync(DatabasePath);
        var sequence = await File.ReadAllTextAsync(Path.Combine(directory, "provisioner.sequence"));
        foreach (var length in new[] { 0, 1, 4_096, 8_192, whole.Length / 2 / 8192 * 8192, whole.Length / 2, whole.Length - 8_192, whole.Length - 1 })
        {
            await File.WriteAllBytesAsync(DatabasePath, whole[..length]);
            await File.WriteAllTextAsync(Path.Combine(directory, "provisioner.sequence"), sequence);
            File.Delete(Path.Combine(directory, "provisioner-log.db"));
            var refused = Assert.Throws<StoreException>(() => LiteDbStore.Open(directory).Dispose());
            Assert.True(refused.Message.Contains("restore", StringComparison.Ordinal) && !refused.Message.Contains('\n'), $"{length}: {refused.Message}");
        }
        File.Delete(DatabasePath);
        Assert.Contains("is gone, though", Assert.Throws<StoreException>(() => LiteDbStore.Open(directory)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_a_file_that_is_something_else_or_was_overwritten()
    {
        await WriteSomeAsync();
        var whole = await File.ReadAllBytesAsync(DatabasePath);
        Random.Shared.NextBytes(whole.AsSpan(0, 8_192));
        await File.WriteAllBytesAsync(DatabasePath, whole);
        Assert.Contains("or is damaged", Assert.Throws<StoreException>(() => LiteDbStore.Open(directory)).Message, StringComparison.Ordinal);

        File.Delete(Path.Combine(directory, "provisioner.sequence"));
        await File.WriteAllTextAsync(DatabasePath, "not a database\n");
        Assert.Throws<StoreException>(() => LiteDbStore.Open(directory));
    }

    [Fact]
    public async Task Refuses_an_older_copy_that_lacks_acknowledged_changes()
    {
        await WriteSomeAsync();
        File.Copy(DatabasePath, DatabasePath + ".old");
        await WriteSomeAsync(100);
        File.Move(DatabasePath + ".old", DatabasePath, overwrite: true);
        var refused = Assert.Throws<StoreException>(() => LiteDbStore.Open(directory));
        Assert.Matches(@"holds \d+ of the \d+ changes that were stored: restore .* remove provisioner\.sequence", refused.Message);
        // The way out that the message names.
        File.Delete(Path.Combine(directory, "provisioner.sequence"));
        await using var fixture = new StoreFixture(directory);
        Assert.Equal(20, fixture.State.Snapshot.Hosts.Count);
    }

    [Fact]
    public async Task Refuses_a_record_that_cannot_be_read_by_its_name()
    {
        await WriteSomeAsync();
        using (var db = new LiteDatabase(DatabasePath))
            db.GetCollection("hosts").Update(new BsonDocument { ["_id"] = "worker-3", ["v"] = "{" });
        using var store = LiteDbStore.Open(directory);
        Assert.Contains("hosts \"worker-3\" cannot be read", Assert.Throws<StoreException>(() => store.LoadSnapshot()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_directory_it_cannot_make_or_write()
    {
        File.WriteAllText(Path.Combine(directory, "file"), "");
        Assert.Contains("cannot be made", Assert.Throws<StoreException>(() => LiteDbStore.Open(Path.Combine(directory, "file", "data"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Brings_an_older_form_up_to_date_and_keeps_a_copy()
    {
        await WriteSomeAsync();
        var present = Migration.All[^1].To;
        var migrations = new List<Migration>(Migration.All)
        {
            new(present + 1, db =>
            {
                foreach (var document in db.GetCollection("hosts").FindAll().ToList())
                {
                    document["v"] = document["v"].AsString.Replace("52:54:00", "52:54:ff", StringComparison.Ordinal);
                    db.GetCollection("hosts").Update(document);
                }
            }),
        };
        using (var store = LiteDbStore.Open(directory, migrations: migrations))
            Assert.All(store.LoadSnapshot().Hosts.Values, h => Assert.StartsWith("52:54:ff", h.Spec.MacAddresses[0].ToString(), StringComparison.Ordinal));
        // Only once.
        using (var store = LiteDbStore.Open(directory, migrations: [.. Migration.All, new(present + 1, _ => Assert.Fail("ran twice"))]))
            Assert.Equal(20, store.LoadSnapshot().Hosts.Count);
        var newer = Assert.Throws<StoreException>(() => LiteDbStore.Open(directory));
        Assert.Contains($"was written by a newer version (form {present + 1}, this one knows {present})", newer.Message, StringComparison.Ordinal);
        using var copy = new LiteDatabase(DatabasePath + $".form-{present}");
        Assert.Equal(20, copy.GetCollection("hosts").Count());
    }

    [Fact]
    public async Task Finds_events_by_host_by_MAC_after_an_id_and_the_newest()
    {
        await using var fixture = new StoreFixture(directory);
        var mac = new MacAddress(0x5254_0000_0001UL);
        await fixture.Writer.ChangeAsync(editor =>
        {
            editor.Put(StoreFixture.Host(1));
            for (var i = 0; i < 300; i++)
                editor.Record(StoreFixture.Event($"e{i}", i % 3 == 0 ? "worker-1" : i % 3 == 1 ? "worker-10" : null, i % 5 == 0 ? mac : null));
            return 0;
        });
        Assert.Equal(Enumerable.Range(200, 100).Select(i => $"e{i}"), What(new EventQuery()));
        Assert.Equal(["e299"], What(new EventQuery { Limit = 1 }));
        Assert.Equal(["e10", "e11"], What(new EventQuery { AfterId = 10, Limit = 2 }));
        Assert.Empty(What(new EventQuery { AfterId = 300 }));
        Assert.Equal(Enumerable.Range(0, 300).Where(i => i % 3 == 0).Select(i => $"e{i}"), What(new EventQuery { Host = "worker-1", Limit = 1000 }));
        Assert.Equal(Enumerable.Range(0, 300).Where(i => i % 5 == 0).Select(i => $"e{i}"), What(new EventQuery { MacAddresses = [mac], Limit = 1000 }));
        Assert.Equal(Enumerable.Range(0, 300).Where(i => i % 5 == 0 || i % 3 == 0).TakeLast(7).Select(i => $"e{i}"), What(fixture.Events.ForHost("worker-1") with { Limit = 7 }));
        Assert.Equal(Enumerable.Range(100, 200).Where(i => i % 5 == 0 || i % 3 == 0).Take(7).Select(i => $"e{i}"), What(fixture.Events.ForHost("worker-1") with { AfterId = 100, Limit = 7 }));
        Assert.Empty(What(new EventQuery { Host = "worker" }));
        Assert.Empty(What(new EventQuery { Host = "WORKER-1" }));
        Assert.Empty(What(new EventQuery { Host = "worker-1|" }));
        IEnumerable<string> What(EventQuery query) => fixture.Events.Find(query).Select(e => e.What);
    }

    [Fact]
    public async Task Keeps_no_more_events_than_it_should()
    {
        await using (var fixture = new StoreFixture(directory, new StoreLimits { Events = 1_000 }))
        {
            for (var batch = 0; batch < 12; batch++)
            {
                await fixture.Writer.NoteAsync(editor =>
                {
                    for (var i = 0; i < 300; i++)
                        editor.Record(StoreFixture.Event("x", "worker-1"));
                    return 0;
                }, default);
            }
            Check(fixture);
        }
        await using var again = new StoreFixture(directory, new StoreLimits { Events = 1_000 });
        Check(again);
        await again.Writer.NoteAsync(editor => { editor.Record(StoreFixture.Event("last")); return 0; }, default);
        Assert.Equal(3_601, Assert.Single(again.Events.Find(new EventQuery { Limit = 1 })).Id);

        static void Check(StoreFixture fixture)
        {
            var events = fixture.Events.Find(new EventQuery { Host = "worker-1", Limit = 10_000 });
            Assert.Equal(1_000, events.Count);
            Assert.Equal((2_601, 3_600), (events[0].Id, events[^1].Id));
        }
    }

    private async Task WriteSomeAsync(int first = 0)
    {
        await using var fixture = new StoreFixture(directory);
        for (var i = first; i < first + 20; i++)
        {
            await fixture.Writer.ChangeAsync(editor =>
            {
                editor.Put(StoreFixture.Host(i));
                for (var n = 0; n < 20; n++)
                    editor.Record(StoreFixture.Event($"e{n}", $"worker-{i}"));
                return 0;
            });
        }
    }
}

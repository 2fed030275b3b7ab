using System.Diagnostics;
using System.Globalization;
using System.Text;
using CsCheck;
using Provisioner.Certificates;
using Provisioner.Certificates.Keys;
using Provisioner.Storage;

namespace Provisioner.Tests.Storage;

public sealed class RecordJournalTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("provisioner-journal-").FullName;

    private string JournalPath => Path.Combine(directory, "certificates.journal");

    public void Dispose() => Directory.Delete(directory, recursive: true);

    [Fact]
    public async Task The_journal_alone_fills_a_new_database()
    {
        string before;
        await using (var fixture = new StoreFixture(directory))
        {
            for (var i = 0; i < 30; i++)
                await fixture.Writer.ChangeAsync(editor => Issue(editor, i));
            await fixture.Writer.ChangeAsync(editor =>
            {
                editor.Put(editor.Snapshot.Certificates["07"] with { RevokedAt = editor.Now, RevokedBecause = RevocationReason.KeyCompromise });
                return 0;
            });
            before = Text(fixture.State.Snapshot);
        }
        foreach (var file in Directory.GetFiles(directory, "provisioner*"))
            File.Delete(file);
        await using (var fixture = new StoreFixture(directory))
        {
            Assert.Equal(before, Text(fixture.State.Snapshot));
            Assert.Contains("07", fixture.State.Snapshot.Revoked);
            Assert.Contains("key-7", fixture.State.Snapshot.CompromisedKeys);
            // And goes on from there.
            await fixture.Writer.ChangeAsync(editor => Issue(editor, 77));
        }
        await using (var fixture = new StoreFixture(directory))
            Assert.Equal(31, fixture.State.Snapshot.Certificates.Count);
    }

    [Fact]
    public async Task A_database_brought_back_from_a_backup_catches_up()
    {
        var database = Path.Combine(directory, "provisioner.db");
        await using (var fixture = new StoreFixture(directory))
        {
            await fixture.Writer.ChangeAsync(editor => Issue(editor, 1));
            await fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(1)));
        }
        File.Copy(database, database + ".backup");
        await using (var fixture = new StoreFixture(directory))
        {
            await fixture.Writer.ChangeAsync(editor => Issue(editor, 2));
            await fixture.Writer.ChangeAsync(editor =>
            {
                editor.Put(editor.Snapshot.Certificates["01"] with { RevokedAt = editor.Now });
                return 0;
            });
        }
        File.Move(database + ".backup", database, overwrite: true);
        File.Delete(Path.Combine(directory, "provisioner-log.db"));
        Assert.Contains("restore", Assert.Throws<StoreException>(() => LiteDbStore.Open(directory)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(directory, "provisioner.sequence"));
        await using (var fixture = new StoreFixture(directory))
        {
            Assert.Equal(["01", "02"], fixture.State.Snapshot.Certificates.Keys.Order());
            Assert.True(fixture.State.Snapshot.Certificates["01"].IsRevoked);
            Assert.True(fixture.State.Snapshot.Hosts.ContainsKey("worker-1"));
        }
    }

    [Fact]
    public async Task What_a_crash_kept_from_the_journal_is_written_at_the_next_start()
    {
        await using (var fixture = new StoreFixture(directory))
        {
            for (var i = 0; i < 5; i++)
                await fixture.Writer.ChangeAsync(editor => Issue(editor, i));
        }
        var whole = await File.ReadAllTextAsync(JournalPath);
        // As after a crash between the database and the journal, and one in the middle of a line.
        foreach (var kept in new[] { 0, 1, whole.Length / 2, whole.Length - 1, whole.IndexOf('\n', StringComparison.Ordinal) + 1 })
        {
            await File.WriteAllTextAsync(JournalPath, whole[..kept]);
            LiteDbStore.Open(directory).Dispose();
            using var journal = RecordJournal.Open(JournalPath);
            Assert.Equal(6, journal.Read(after: 0).SelectMany(line => line.Records).Select(r => r.Key).Distinct().Count());
        }
    }

    [Fact]
    public async Task A_damaged_line_is_refused_by_its_number_and_a_start_goes_by_the_last_one()
    {
        await using (var fixture = new StoreFixture(directory))
        {
            for (var i = 0; i < 3; i++)
                await fixture.Writer.ChangeAsync(editor => Issue(editor, i));
        }
        var lines = await File.ReadAllLinesAsync(JournalPath);
        lines[1] = lines[1].Replace("web-1", "web-9", StringComparison.Ordinal);
        await File.WriteAllLinesAsync(JournalPath, lines);
        LiteDbStore.Open(directory).Dispose();
        using (var journal = RecordJournal.Open(JournalPath))
            Assert.Contains("damaged in line 2", Assert.Throws<StoreException>(() => journal.Read(0).ToList()).Message, StringComparison.Ordinal);
        lines[^1] = lines[^1][..^5] + "xxxxx";
        await File.WriteAllLinesAsync(JournalPath, lines);
        Assert.Contains("damaged in its last line", Assert.Throws<StoreException>(() => LiteDbStore.Open(directory)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_are_a_journal_or_are_refused()
    {
        Gen.Byte.Array[0, 400].Sample(bytes =>
        {
            File.WriteAllBytes(JournalPath, bytes);
            try
            {
                using var journal = RecordJournal.Open(JournalPath);
                _ = journal.Read(0).ToList();
            }
            catch (StoreException)
            {
                // A reason, and not just any exception.
            }
        }, iter: 300, threads: 1);
    }

    [Fact]
    public async Task A_certificate_that_cannot_be_journaled_is_not_acknowledged_and_is_there_when_it_can()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/usr/bin/unshare"), "needs root, to mount a small file system in a namespace of its own");
        // A disk that is full for the journal alone: its file is another's, on a file system of 64 KiB.
        var (small, data) = (Directory.CreateDirectory(Path.Combine(directory, "small")).FullName, Directory.CreateDirectory(Path.Combine(directory, "data")).FullName);
        await File.WriteAllTextAsync(Path.Combine(data, "certificates.journal"), "");
        var start = new ProcessStartInfo("/usr/bin/unshare") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { "-m", "sh", "-c", $"mount -t tmpfs -o size=64k tmpfs {small} && touch {small}/journal && mount --bind {small}/journal {data}/certificates.journal && exec dotnet {typeof(ChildProcess).Assembly.Location} {data} {small}" })
            start.ArgumentList.Add(argument);
        start.Environment["PROVISIONER_TEST_CHILD"] = "issue-until-full";
        using var child = Process.Start(start)!;
        var error = child.StandardError.ReadToEndAsync();
        var lines = (await child.StandardOutput.ReadToEndAsync()).TrimEnd().Split('\n');
        await child.WaitForExitAsync();
        Assert.True(child.ExitCode == 0, string.Join('\n', lines) + await error);
        Assert.Contains("it is not in the journal of certificates: ", lines[0], StringComparison.Ordinal);
        Assert.Equal("the next: refused", lines[1]);
        var acknowledged = int.Parse(lines[2].Split(' ', ',')[1], CultureInfo.InvariantCulture);
        Assert.Equal($"acknowledged {acknowledged}, in the snapshot {acknowledged}", lines[2]);
        // The one that was refused is stored, and told of once it is journaled; the one after it never was.
        Assert.Equal($"after room was made {acknowledged + 2}, in the journal {acknowledged + 2}", lines[3]);
    }

    [Fact]
    public async Task Only_the_service_s_user_can_read_it()
    {
        await using var fixture = new StoreFixture(directory);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(JournalPath));
    }

    private static string Text(Snapshot snapshot)
    {
        var text = new StringBuilder();
        foreach (var certificate in snapshot.Certificates.Values.OrderBy(c => c.Serial, StringComparer.Ordinal))
            text.AppendLine(RecordJson.Write(certificate));
        foreach (var authority in snapshot.Authorities.Values)
            text.AppendLine(RecordJson.Write(authority));
        return text.ToString();
    }

    internal static int Issue(StateEditor editor, int number)
    {
        if (editor.Snapshot.Authorities.IsEmpty)
        {
            editor.Put(new Authority
            {
                Id = "a", State = AuthorityState.Issuing, Algorithm = KeyAlgorithm.EcP256, KeyStore = "file", Subject = "CN=a", KeyHash = "a",
                CreatedAt = editor.Now, Der = [9, 9], Chain = [[1], [2, 3]], CrlNumber = 4, NotAfter = editor.Now.AddDays(1),
            });
        }
        editor.Put(new Certificate
        {
            Serial = $"{number:x2}", Host = $"web-{number}", Authority = "a", IssuedAt = editor.Now, NotBefore = editor.Now, NotAfter = editor.Now.AddDays(90),
            KeyHash = $"key-{number}", RequestHash = "r", Installation = "i", Der = [1, 2, (byte)number],
        });
        return number;
    }
}

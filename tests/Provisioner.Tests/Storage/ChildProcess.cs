using System.Diagnostics;
using Provisioner.Certificates.Keys;

namespace Provisioner.Tests.Storage;

/// <summary>This assembly once more, as another process that can be killed: what it does is named by an environment variable.</summary>
internal static class ChildProcess
{
    private const string Role = "PROVISIONER_TEST_CHILD";

    public static Process Start(string role, params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileName(host) == "dotnet" ? host : "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(typeof(ChildProcess).Assembly.Location);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment[Role] = role;
        return Process.Start(start)!;
    }

    public static async Task<int> Main(string[] arguments)
    {
        if (Environment.GetEnvironmentVariable(Role) is not { } role)
            return await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(arguments);
        try
        {
            await Run(role, arguments);
            return 0;
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }

    private static Task Run(string role, string[] arguments) => role switch
    {
        "write" => WriteForeverAsync(arguments[0]),
        "issue-until-full" => IssueUntilFullAsync(arguments[0], arguments[1]),
        "write-until-full" => WriteUntilFullAsync(arguments[0]),
        "serve-artifacts" => Artifacts.ArtifactLoadTests.ServeAsync(arguments[0], arguments[1]),
        "fetch-artifacts" => Artifacts.ArtifactCrashTests.FetchForeverAsync(arguments[0], arguments[1]),
        "pull-image" => Images.ImageDownloadTests.PullAsync(arguments[0], arguments[1..]),
        "create-keys" => CreateKeysAsync(arguments[0], arguments[1], arguments[2]),
        _ => throw new InvalidOperationException(role),
    };

    /// <summary>One host after another; a line for each that was acknowledged. Ends by being killed.</summary>
    private static async Task WriteForeverAsync(string directory)
    {
        var fixture = new StoreFixture(directory);
        for (var i = fixture.State.Snapshot.Hosts.Count; ; i++)
        {
            await fixture.Writer.ChangeAsync(editor =>
            {
                editor.Put(StoreFixture.Host(i));
                editor.Record(StoreFixture.Event($"put {i}", $"worker-{i}"));
                return 0;
            });
            Console.Out.WriteLine(i);
            Console.Out.Flush();
            // The journal writes beside it, as in life.
            _ = fixture.Writer.NoteAsync(editor =>
            {
                for (var n = 0; n < 50; n++)
                    editor.Record(StoreFixture.Event($"journal {i}.{n}"));
                return 0;
            }, default);
        }
    }

    /// <summary>One key of the CA after another. Ends by being killed.</summary>
    private static Task CreateKeysAsync(string directory, string passphrase, string prefix)
    {
        using var store = new FileKeyStore(directory, Secret.Read(passphrase, "The passphrase", ""));
        for (var i = 0; ; i++)
            store.Create(KeyAlgorithm.EcP256, $"{prefix}-{i}").Dispose();
    }

    /// <summary>Writes until the disk is full, then says what a reader still sees, makes room and writes once more.</summary>
    private static async Task WriteUntilFullAsync(string directory)
    {
        await using var fixture = new StoreFixture(Path.Combine(directory, "data"));
        // Room that can be given back later.
        await File.WriteAllBytesAsync(Path.Combine(directory, "ballast"), new byte[1 << 20]);
        var written = 0;
        try
        {
            while (written < 100_000)
            {
                await fixture.Writer.ChangeAsync(editor =>
                {
                    editor.Put(StoreFixture.Host(written));
                    for (var n = 0; n < 20; n++)
                        editor.Record(StoreFixture.Event(new string('x', 500), $"worker-{written}"));
                    return 0;
                });
                written++;
            }
        }
        catch (Provisioner.Storage.StoreException e)
        {
            Console.Out.WriteLine($"refused: {e.Message}");
        }
        Console.Out.WriteLine($"acknowledged {written}, in the snapshot {fixture.State.Snapshot.Hosts.Count}");
        File.Delete(Path.Combine(directory, "ballast"));
        await Task.Delay(TimeSpan.FromSeconds(1.5));
        await fixture.Writer.ChangeAsync(editor => editor.Put(StoreFixture.Host(1_000_000)));
        Console.Out.WriteLine($"after room was made {fixture.State.Snapshot.Hosts.Count}, stored {fixture.Store.LoadSnapshot().Hosts.Count}");
    }

    /// <summary>Issues certificates until the journal's disk is full, then says what a reader still sees, makes room and issues one more.</summary>
    private static async Task IssueUntilFullAsync(string directory, string small)
    {
        await using var fixture = new StoreFixture(directory);
        // Room that can be given back later.
        await File.WriteAllBytesAsync(Path.Combine(small, "ballast"), new byte[32 * 1024]);
        var issued = 0;
        try
        {
            while (issued < 10_000)
            {
                await fixture.Writer.ChangeAsync(editor => RecordJournalTests.Issue(editor, issued));
                issued++;
            }
        }
        catch (Provisioner.Storage.StoreException e)
        {
            Console.Out.WriteLine($"refused: {e.Message}");
        }
        try
        {
            await fixture.Writer.ChangeAsync(editor => RecordJournalTests.Issue(editor, 20_000));
            Console.Out.WriteLine("the next: taken");
        }
        catch (Provisioner.Storage.StoreException)
        {
            Console.Out.WriteLine("the next: refused");
        }
        Console.Out.WriteLine($"acknowledged {issued}, in the snapshot {fixture.State.Snapshot.Certificates.Count}");
        File.Delete(Path.Combine(small, "ballast"));
        await fixture.Writer.ChangeAsync(editor => RecordJournalTests.Issue(editor, 30_000));
        using var journal = Provisioner.Storage.RecordJournal.Open(Path.Combine(directory, "certificates.journal"));
        var journaled = journal.Read(0).SelectMany(line => line.Records).Count(r => r.Key.Kind == Provisioner.Storage.RecordKind.Certificate);
        Console.Out.WriteLine($"after room was made {fixture.State.Snapshot.Certificates.Count}, in the journal {journaled}");
    }
}

using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Boot;
using Provisioner.Boot.Tftp;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Benchmarks.Tftp;

/// <summary>The TFTP plane as a process of its own, with the files of a folder for a catalogue.</summary>
internal sealed class TftpUnderTest : IBootCatalogue
{
    private readonly Dictionary<string, BootAsset> assets = new(StringComparer.Ordinal);

    private TftpUnderTest(string folder)
    {
        foreach (var file in new DirectoryInfo(folder).GetFiles())
            assets[file.Name] = new BootAsset.OnDisk(file.Name, file.FullName, file.Length, "application/octet-stream", "benchmark");
    }

    public static int Run(string[] arguments)
    {
        var journal = new BootJournal();
        var options = new TftpOptions { Port = int.Parse(arguments[1], CultureInfo.InvariantCulture) };
        using var server = new TftpServer(options, new TftpUnderTest(arguments[0]), new CurrentState(), new AddressBook(), journal, TimeProvider.System, NullLogger<TftpServer>.Instance);
        server.Start();
        Console.WriteLine("ready");
        while (journal.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (journal.Reader.TryRead(out var entry))
            {
                if (entry is Event { Outcome: not EventOutcome.Answered } failed)
                    Console.WriteLine($"{failed.What}: {failed.Reason}");
            }
        }
        return 0;
    }

    public BootLookup Find(string name, BootClient client, string? query = null) =>
        assets.TryGetValue(name, out var asset) ? BootLookup.Found(asset) : BootLookup.Missing("not there");
}

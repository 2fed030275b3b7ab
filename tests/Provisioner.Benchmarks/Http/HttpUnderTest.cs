using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Boot.Http;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Storage;

namespace Provisioner.Benchmarks.Http;

/// <summary>The HTTP boot plane as a process of its own, with the files of a folder for a catalogue.</summary>
internal static class HttpUnderTest
{
    public static int Run(string[] arguments) => RunAsync(arguments[0], int.Parse(arguments[1], CultureInfo.InvariantCulture)).GetAwaiter().GetResult();

    private static async Task<int> RunAsync(string folder, int port)
    {
        var journal = new BootJournal();
        var handler = new BootHttpHandler(new FolderCatalogue(folder), new CurrentState(), new AddressBook(), journal, TimeProvider.System);
        await using var service = new BootHttpService(handler, new BootHttpOptions { Address = IPAddress.Loopback, Port = port }, NullLoggerFactory.Instance);
        await service.StartAsync(CancellationToken.None);
        Console.WriteLine("ready");
        // Answers are recorded as in the service; where they go from here is not part of the plane.
        await foreach (var entry in journal.Reader.ReadAllAsync())
        {
            if (entry is Event { Outcome: EventOutcome.Refused } refused)
                Console.WriteLine($"{refused.What}: {refused.Reason}");
        }
        return 0;
    }
}

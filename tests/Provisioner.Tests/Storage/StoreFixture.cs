using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Boot;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Profiles;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Storage;

/// <summary>A data directory of its own, and the store on it as the service runs it.</summary>
internal sealed class StoreFixture : IAsyncDisposable
{
    public StoreFixture(string? directory = null, StoreLimits? limits = null, TimeProvider? time = null)
    {
        Directory = directory ?? System.IO.Directory.CreateTempSubdirectory("provisioner-store-").FullName;
        OwnsDirectory = directory is null;
        Store = LiteDbStore.Open(Directory, limits);
        State = new CurrentState();
        State.Publish(Store.LoadSnapshot());
        Events = new EventLog(Store, State, time ?? TimeProvider.System);
        Writer = new StateWriter(Store, State, Events, time ?? TimeProvider.System, NullLogger<StateWriter>.Instance);
    }

    public string Directory { get; }

    public bool OwnsDirectory { get; set; }

    public LiteDbStore Store { get; }

    public CurrentState State { get; }

    public EventLog Events { get; }

    public StateWriter Writer { get; }

    public async ValueTask DisposeAsync()
    {
        await Writer.DisposeAsync();
        Store.Dispose();
        if (OwnsDirectory)
            System.IO.Directory.Delete(Directory, recursive: true);
    }

    public static Host Host(int number, string? profile = null) => new(new Metadata($"worker-{number}"), new HostSpec
    {
        MacAddresses = [new MacAddress(0x5254_0000_0000UL + (ulong)number)],
        Architecture = CpuArchitecture.X64,
        Profile = profile,
    });

    public static Image Image(string name = "debian-12") => new(new Metadata(name), new ImageSpec { Architecture = CpuArchitecture.X64, Kernel = "vmlinuz", Initrd = ["initrd.gz"] })
    {
        Status = new ImageStatus { Files = [new("vmlinuz", 1, new string('a', 64), CpuArchitecture.X64), new("initrd.gz", 2, new string('b', 64), null)], ImportedAt = DateTimeOffset.UnixEpoch },
    };

    public static Profile Profile(string name = "worker", string image = "debian-12") => new(new Metadata(name), new ProfileSpec { Image = image });

    public static Event Event(string what, string? host = null, MacAddress? mac = null, EventSource source = EventSource.Http) => new()
    {
        At = TimeProvider.System.GetUtcNow(),
        Source = source,
        Outcome = EventOutcome.Answered,
        What = what,
        Reason = "because",
        Host = host,
        MacAddress = mac,
    };
}

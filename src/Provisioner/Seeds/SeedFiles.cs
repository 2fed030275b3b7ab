using System.Collections.Concurrent;
using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Storage;

namespace Provisioner.Seeds;

/// <summary>One file of a seed.</summary>
/// <param name="Redacted">The same with its secrets replaced, for people.</param>
internal sealed record SeedFile(string Text, string Redacted, string ContentType, bool CarriesToken, string Reason);

/// <summary>The answer files of a host's Installation, and what of them was last served.</summary>
internal sealed class SeedFiles(CurrentState state)
{
    private readonly ConcurrentDictionary<(string Host, string Name), string> served = [];

    /// <summary>The file of that name; null when the host's seed has none.</summary>
    public SeedFile? Find(Host host, Installation installation, string name, BootEndpoint endpoint)
    {
        _ = (state, host, installation, name, endpoint);
        return null;
    }

    /// <summary>Remembers what was served, for a later comparison.</summary>
    public void Served(string host, string name, string redacted) => served[(host, name)] = redacted;

    /// <summary>What was last served; null when nothing was since the start.</summary>
    public string? LastServed(string host, string name) => served.GetValueOrDefault((host, name));
}

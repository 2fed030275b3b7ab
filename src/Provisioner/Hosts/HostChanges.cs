using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Hosts;

/// <summary>A discovered machine that becomes a Host.</summary>
public sealed record Adoption(MacAddress MacAddress, string Name)
{
    public string? Profile { get; init; }

    /// <summary>Needed only when the machine did not say its own.</summary>
    public CpuArchitecture? Architecture { get; init; }

    public ImmutableSortedDictionary<string, string> Labels { get; init; } = ImmutableSortedDictionary<string, string>.Empty;
}

/// <summary>What people do with hosts, for <see cref="StateWriter.ChangeAsync{T}"/>. Pure but for the editor.</summary>
public static class HostChanges
{
    /// <summary>How long an Installation stays open unless said otherwise.</summary>
    public static readonly TimeSpan DefaultWindow = TimeSpan.FromHours(2);

    /// <summary>Registers a discovered machine; its Discovered record goes.</summary>
    /// <exception cref="ChangeRefusedException">Name or MAC address in use, no such profile, never seen, architecture unknown.</exception>
    public static Host Adopt(StateEditor editor, Adoption adoption, string? actor) => throw new NotSupportedException("Not there yet");

    /// <summary>Opens an Installation; one that is open is closed first, with the reason.</summary>
    /// <param name="window">Null for <see cref="DefaultWindow"/>.</param>
    /// <exception cref="ChangeRefusedException">No such host, no profile or image, files not imported.</exception>
    public static Installation Provision(StateEditor editor, string host, TimeSpan? window, string? actor) => throw new NotSupportedException("Not there yet");

    /// <summary>Closes the host's open Installation: from now on it boots its own disk.</summary>
    /// <exception cref="ChangeRefusedException">No such host, or nothing open.</exception>
    public static Installation Cancel(StateEditor editor, string host, string? actor) => throw new NotSupportedException("Not there yet");
}

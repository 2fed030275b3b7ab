namespace Provisioner.Boot;

/// <summary>A file as the boot planes serve it: from memory (scripts) or an immutable file on disk (loaders, kernels). Closed.</summary>
/// <param name="Name">The name it was asked by.</param>
/// <param name="Length">In bytes.</param>
/// <param name="ContentType">For HTTP.</param>
/// <param name="Reason">Why this is the answer.</param>
public abstract record BootAsset(string Name, long Length, string ContentType, string Reason)
{
    public sealed record InMemory(string Name, ReadOnlyMemory<byte> Content, string ContentType, string Reason)
        : BootAsset(Name, Content.Length, ContentType, Reason);

    /// <param name="Path">Absolute path inside the data directory or a loader directory. Never made from a client's words.</param>
    public sealed record OnDisk(string Name, string Path, long Length, string ContentType, string Reason)
        : BootAsset(Name, Length, ContentType, Reason);
}

/// <summary>What the catalogue says to a name. Exactly one of the two is set.</summary>
/// <param name="Refusal">Why there is nothing by this name for this client.</param>
public readonly record struct BootLookup(BootAsset? Asset, string? Refusal)
{
    public static BootLookup Found(BootAsset asset) => new(asset, null);

    public static BootLookup Missing(string reason) => new(null, reason);
}

/// <summary>Who asks the catalogue, as far as the protocol tells.</summary>
/// <param name="Address">The client's IPv4 address.</param>
/// <param name="Endpoint">The address it asked us at, with the boot plane's HTTP port.</param>
public readonly record struct BootClient(Protocols.Ipv4Address Address, BootEndpoint Endpoint)
{
    /// <summary>The UDP port when it asks by TFTP; 0 when it asks by HTTP. What a machine's own script loads comes the same way.</summary>
    public int TftpPort { get; init; }

    /// <summary>What the URLs in the machine's own script begin with.</summary>
    public string Root => TftpPort switch
    {
        0 => Endpoint.HttpRoot,
        69 => $"tftp://{Endpoint.Address}",
        _ => $"tftp://{Endpoint.Address}:{TftpPort}",
    };
}

/// <summary>
/// The names firmware, shim, GRUB, iPXE and installers may ask for, over TFTP and HTTP alike. No name reaches the disk:
/// a name is looked up, never joined to a path.
/// </summary>
public interface IBootCatalogue
{
    /// <summary>
    /// Finds the asset of that name for that client. Never waits: scripts are rendered from the current snapshot.
    /// </summary>
    /// <param name="name">As asked, already without query; separators and case are normalised here.</param>
    /// <param name="client">Decides between hosts where the name alone does not, as with <c>grubx64.efi</c>.</param>
    /// <param name="query">The query string of an HTTP request, without the question mark: what iPXE says of its machine.</param>
    BootLookup Find(string name, BootClient client, string? query = null);
}

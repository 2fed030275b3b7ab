using Provisioner.Resources;

namespace Provisioner.NetBox;

/// <summary>The configuration key <c>netbox</c>: where this site's NetBox is, whose devices can be registered. It is only read.</summary>
public sealed record NetBoxOptions
{
    /// <summary>Its root, the part before <c>/api/</c>.</summary>
    public required Uri Url { get; init; }

    /// <summary>A file with a token of NetBox that may read devices and interfaces.</summary>
    public required string TokenFile { get; init; }

    /// <summary>PEM of the authorities that sign its certificate; this machine's when not said.</summary>
    public string? CaFile { get; init; }
}

/// <summary>The keys of <c>netbox</c>.</summary>
internal static class NetBoxFields
{
    public static Shape<NetBoxOptions> NetBox { get; } = Declare();

    private static Shape<NetBoxOptions> Declare()
    {
        var url = Values.WebAddress("an address of a NetBox", "an https URL such as https://netbox.example.com/, or http to this machine itself",
            url => url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0 ? "has more than a root"
                : url.Scheme != Uri.UriSchemeHttps && !url.IsLoopback ? "would show the token to everybody on the way" : null);
        var path = Values.OfText("a path", "an absolute path", text => Path.IsPathFullyQualified(text) ? null : "is not an absolute path");
        var shape = new Shape<NetBoxOptions>("netbox", () => new NetBoxOptions { Url = new Uri("https://invalid/"), TokenFile = "" });
        shape.Required("url", url, o => o.Url, (o, v) => o with { Url = v }, "Where it is: the part before /api/.");
        shape.Required("tokenFile", path, o => o.TokenFile, (o, v) => o with { TokenFile = v }, "A file with a token that may read devices and interfaces.");
        shape.Optional("caFile", path, o => o.CaFile, (o, v) => o with { CaFile = v }, "PEM of the authorities that sign its certificate; this machine's when not said.");
        return shape;
    }
}

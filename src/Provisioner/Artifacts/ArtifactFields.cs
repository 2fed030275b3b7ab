using System.Globalization;
using Provisioner.Resources;

namespace Provisioner.Artifacts;

/// <summary>The configuration's key <c>artifacts</c>.</summary>
internal static class ArtifactFields
{
    private static readonly (string Suffix, long Bytes)[] Units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000)];

    // First, because the shapes below are made of them.
    private static ScalarKind<Uri> Url => Values.WebAddress("an address", "an http or https URL without user, query and fragment, such as https://mirror.example.com/ubuntu/",
        url => url.UserInfo.Length > 0 ? "has a user name or password, which would be in logs" : url.Query.Length > 0 || url.Fragment.Length > 0 ? "has a query or fragment" : null);

    /// <summary>A number of bytes such as <c>50GB</c>.</summary>
    private static ScalarKind<long> Size => new("a size", "a whole number of MB, GB or TB such as 50GB",
        (string text, out long value, out string? wrong) =>
        {
            (value, wrong) = (0, null);
            foreach (var (suffix, bytes) in Units)
            {
                if (text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)
                    && int.TryParse(text.AsSpan(0, text.Length - 2).TrimEnd(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 1_000_000)
                {
                    value = number * bytes;
                    return true;
                }
            }
            return false;
        },
        value => Units.First(u => value % u.Bytes == 0) is var (suffix, bytes) ? string.Create(CultureInfo.InvariantCulture, $"{value / bytes}{suffix}") : "");

    public static Shape<ArtifactOptions> Artifacts { get; } = Declare();

    private static Shape<ArtifactOptions> Declare()
    {
        var shape = new Shape<ArtifactOptions>("artifacts", () => new ArtifactOptions());
        shape.Optional("upstreams", new ListKind<Upstream>(Upstreams()), o => o.Upstreams, (o, v) => o with { Upstreams = v }, "Where artifacts may be fetched from, besides the built-in upstreams.");
        shape.Optional("files", new ListKind<PinnedFile>(Files()), o => o.Files, (o, v) => o with { Files = v }, "Single files with their checksums.");
        shape.Default("builtIn", Values.Boolean, o => o.BuiltIn, (o, v) => o with { BuiltIn = v }, "Whether the built-in upstreams may be asked.");
        shape.Default("maximumSize", Size, o => o.MaximumSize, (o, v) => o with { MaximumSize = v }, "How much is kept; what was used longest ago goes first.");
        shape.Default("maximumAge", Values.Days(1, 3_650), o => o.MaximumAge, (o, v) => o with { MaximumAge = v }, "What nobody asked for in so long goes.");
        shape.Default("offline", Values.Boolean, o => o.Offline, (o, v) => o with { Offline = v }, "Serve what is there and ask no upstream.");
        shape.Check((options, report) =>
        {
            for (var i = 0; i < options.Upstreams.Length; i++)
            {
                var name = options.Upstreams[i].Name;
                if (name == ArtifactOptions.FilesName)
                    report($"upstreams[{i}].name", $"'{name}' is where artifacts.files are served", name, "another name");
                if (options.Upstreams.Take(i).Any(u => u.Name == name))
                    report($"upstreams[{i}].name", $"there is an upstream '{name}' already", name, "each name once");
            }
            for (var i = 0; i < options.Files.Length; i++)
            {
                if (options.Files.Take(i).Any(f => f.Name == options.Files[i].Name))
                    report($"files[{i}].name", $"there is a file '{options.Files[i].Name}' already", options.Files[i].Name, "each name once");
            }
        });
        return shape;
    }

    private static Shape<Upstream> Upstreams()
    {
        var shape = new Shape<Upstream>("an upstream", () => new Upstream("", new Uri("http://0.0.0.0/")));
        shape.Required("name", Values.Name, u => u.Name, (u, v) => u with { Name = v }, "The first part of its paths: /artifacts/NAME/….");
        shape.Required("url", Url, u => u.Url, (u, v) => u with { Url = v.AbsoluteUri.EndsWith('/') ? v : new Uri(v.AbsoluteUri + "/") }, "What the rest of a path is appended to.");
        shape.Required("kind", Values.OneOf("a kind of upstream", ("files", UpstreamKind.Files), ("nodeadm", UpstreamKind.Nodeadm), ("apt", UpstreamKind.Apt), ("dnf", UpstreamKind.Dnf)),
            u => u.Kind, (u, v) => u with { Kind = v }, "What is checked, and what never changes.");
        shape.Default("revalidate", Values.Duration, u => u.Revalidate, (u, v) => u with { Revalidate = v }, "For so long a file that may change is served without asking.");
        shape.Default("privateAddresses", Values.Boolean, u => u.PrivateAddresses, (u, v) => u with { PrivateAddresses = v }, "Its name may lead to an address of a private network.");
        return shape;
    }

    private static Shape<PinnedFile> Files()
    {
        var name = Values.OfText("a file's name", "letters, digits and -._~+:=@,^ such as firmware-1.2.bin, with slashes between parts",
            text => ArtifactPath.TryParse($"{ArtifactOptions.FilesName}/{text}", out var path, out var wrong) ? path.Rest == text ? null : "is not the name it is asked for by" : $"is not a name: {wrong}");
        var digest = Values.OfText("a SHA-256 digest", "64 hexadecimal digits, as sha256sum prints them", text => ChecksumFile.IsSha256(text) ? null : "is not a SHA-256 digest");
        var shape = new Shape<PinnedFile>("a file", () => new PinnedFile("", new Uri("http://0.0.0.0/"), ""));
        shape.Required("name", name, f => f.Name, (f, v) => f with { Name = v }, "It is served as /artifacts/files/NAME.");
        shape.Required("url", Url, f => f.Url, (f, v) => f with { Url = v }, "Where it is fetched from; redirects are followed.");
        shape.Required("sha256", digest, f => f.Sha256, (f, v) => f with { Sha256 = v.ToLowerInvariant() }, "What it has to be.");
        return shape;
    }
}

using System.Text.Json.Nodes;
using Provisioner.Clusters;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Networks;
using Provisioner.Profiles;

namespace Provisioner.Resources;

/// <summary>A kind of resource: its names, and the keys of its documents.</summary>
public abstract class ResourceKind
{
    public const string ApiVersion = "provisioner/v1";

    public static ResourceKind Host { get; } = new Of<Host, HostSpec>("Host", "hosts", "h", 64, HostFields.Spec,
        (metadata, spec) => new Host(metadata, spec), host => host.Spec, _ => null);

    public static ResourceKind Profile { get; } = new Of<Profile, ProfileSpec>("Profile", "profiles", "p", 63, ProfileFields.Spec,
        (metadata, spec) => new Profile(metadata, spec), profile => profile.Spec, _ => null);

    public static ResourceKind Image { get; } = new Of<Image, ImageSpec>("Image", "images", "img", 63, ImageFields.Spec,
        (metadata, spec) => new Image(metadata, spec), image => image.Spec, ImageFields.WriteStatus);

    public static ResourceKind Network { get; } = new Of<Network, NetworkSpec>("Network", "networks", "net", 63, NetworkFields.Spec,
        (metadata, spec) => new Network(metadata, spec), network => network.Spec, _ => null);

    public static ResourceKind Cluster { get; } = new Of<Cluster, ClusterSpec>("Cluster", "clusters", "c", 63, ClusterFields.Spec,
        (metadata, spec) => new Cluster(metadata, spec), cluster => cluster.Spec, _ => null);

    /// <summary>All of them, in the order in which one may refer to the next.</summary>
    public static IReadOnlyList<ResourceKind> All { get; } = [Image, Cluster, Profile, Network, Host];

    private ResourceKind(string name, string plural, string shortName)
    {
        Name = name;
        Plural = plural;
        ShortName = shortName;
    }

    /// <summary>As in <c>kind</c>: <c>Host</c>.</summary>
    public string Name { get; }

    /// <summary>As in a URL: <c>hosts</c>.</summary>
    public string Plural { get; }

    /// <summary>For the command line: <c>h</c>.</summary>
    public string ShortName { get; }

    /// <summary>The keys of a document.</summary>
    public abstract IReadOnlyList<FieldDescription> Fields { get; }

    /// <summary>Finds a kind by its name, its plural or its short name, in any case.</summary>
    public static ResourceKind? Find(string text) => All.FirstOrDefault(kind =>
        text.Equals(kind.Name, StringComparison.OrdinalIgnoreCase) || text.Equals(kind.Plural, StringComparison.OrdinalIgnoreCase)
        || text.Equals(kind.ShortName, StringComparison.OrdinalIgnoreCase));

    internal abstract IResource? Read(TextNode document, Reading reading);

    internal abstract JsonObject Write(IResource resource);

    private sealed record Document<TSpec>(Metadata Metadata, TSpec Spec);

    private sealed class Of<TResource, TSpec> : ResourceKind
        where TResource : class, IResource
    {
        private readonly Shape<Document<TSpec>> shape;
        private readonly Func<Metadata, TSpec, TResource> make;
        private readonly Func<TResource, TSpec> specOf;
        private readonly Func<TResource, JsonObject?> writeStatus;

        public Of(string name, string plural, string shortName, int nameMaximum, Shape<TSpec> spec,
            Func<Metadata, TSpec, TResource> make, Func<TResource, TSpec> specOf, Func<TResource, JsonObject?> writeStatus)
            : base(name, plural, shortName)
        {
            this.make = make;
            this.specOf = specOf;
            this.writeStatus = writeStatus;
            shape = new($"a {name}", () => new(new Metadata(""), default!));
            shape.Required("apiVersion", Values.OneOf("an apiVersion", (ApiVersion, ApiVersion)), _ => ApiVersion, (d, _) => d, "The version of these keys.");
            shape.Required("kind", Values.OneOf("a kind", (name, name)), _ => name, (d, _) => d, "What it is.");
            shape.Required("metadata", MetadataFields.Of(name, nameMaximum), d => d.Metadata, (d, v) => d with { Metadata = v }, "Its name and labels.");
            shape.Required("spec", spec, d => d.Spec, (d, v) => d with { Spec = v }, "What is wanted.");
            shape.Optional("status", Values.Ignored, _ => null, (d, _) => d, "What is. Written by the appliance; ignored in what is applied.");
        }

        public override IReadOnlyList<FieldDescription> Fields => shape.Fields;

        internal override IResource? Read(TextNode document, Reading reading) =>
            shape.TryRead(document, "", reading, out var read) ? make(read.Metadata, read.Spec) : null;

        internal override JsonObject Write(IResource resource)
        {
            var typed = (TResource)resource;
            var document = shape.Write(new(typed.Metadata, specOf(typed))).AsObject();
            if (writeStatus(typed) is { } status)
                document["status"] = status;
            return document;
        }
    }
}

/// <summary>The keys of <c>metadata</c>.</summary>
internal static class MetadataFields
{
    public static Shape<Metadata> Of(string kind, int nameMaximum)
    {
        var name = Values.OfText($"a {kind}'s name", $"at most {nameMaximum} {Texts.NameExpected}", text => Texts.Name(text, nameMaximum));
        var shape = new Shape<Metadata>("metadata", () => new Metadata(""));
        shape.Required("name", name, m => m.Name, (m, v) => m with { Name = v }, "Unique within its kind.");
        shape.Optional("labels", new LabelsKind(), m => m.Labels.IsEmpty ? null : m.Labels, (m, v) => m with { Labels = v }, "Words to select it by.");
        shape.Optional("resourceVersion", Values.Version, m => m.ResourceVersion == 0 ? null : m.ResourceVersion, (m, v) => m with { ResourceVersion = v },
            "Grows with each change. Given in a document, the change is refused unless it is still the stored one.");
        shape.Optional("createdAt", Values.Ignored, m => At(m.CreatedAt), (m, _) => m, "Written by the appliance.");
        shape.Optional("updatedAt", Values.Ignored, m => At(m.UpdatedAt), (m, _) => m, "Written by the appliance.");
        return shape;
    }

    public static string? At(DateTimeOffset time) => time == default ? null : time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFF'Z'", System.Globalization.CultureInfo.InvariantCulture);
}

using System.Collections;
using System.Reflection;
using System.Text.Json.Nodes;
using CsCheck;
using Provisioner.Boot;
using Host = Provisioner.Hosts.Host;
using Provisioner.Images;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Tests.Resources;

public sealed class ResourceWriterTests
{
    [Fact]
    public void Reads_back_what_it_writes_as_YAML() => ResourceGen.Any.Sample(resource => AssertReadsBack(resource, ResourceWriter.ToYaml(resource)), iter: 3_000);

    [Fact]
    public void Reads_back_what_it_writes_as_JSON() => ResourceGen.Any.Sample(resource => AssertReadsBack(resource, ResourceWriter.ToJson(resource).ToJsonString()), iter: 2_000);

    [Fact]
    public void Reads_back_what_is_stored() => ResourceGen.Any.Sample(resource =>
    {
        object back = resource switch
        {
            Host host => RecordJson.Read<Host>(RecordJson.Write(host)),
            Image image => RecordJson.Read<Image>(RecordJson.Write(image)),
            Provisioner.Networks.Network network => RecordJson.Read<Provisioner.Networks.Network>(RecordJson.Write(network)),
            Provisioner.Clusters.Cluster cluster => RecordJson.Read<Provisioner.Clusters.Cluster>(RecordJson.Write(cluster)),
            _ => RecordJson.Read<Provisioner.Profiles.Profile>(RecordJson.Write((Provisioner.Profiles.Profile)resource)),
        };
        Assert.Equal(Dump(resource), Dump(back));
    }, iter: 2_000);

    [Fact]
    public void Quotes_what_another_reader_takes_for_something_else()
    {
        var yaml = YamlWriter.Write(new JsonObject
        {
            ["plain"] = "worker-1.example.com",
            ["no"] = "no",
            ["time"] = "12:30",
            ["float"] = "1e3",
            ["line"] = "a\nb\u2028c",
            ["count"] = 3,
            ["flag"] = true,
            ["none"] = null,
            ["list"] = new JsonArray("a", new JsonObject { ["k"] = "v", ["l"] = new JsonArray(1, 2) }, new JsonArray(), new JsonArray("x")),
            ["empty"] = new JsonObject(),
        });
        Assert.Equal("""
            plain: worker-1.example.com
            "no": "no"
            time: "12:30"
            float: "1e3"
            line: "a\u000ab\u2028c"
            count: 3
            flag: true
            none: null
            list:
              - a
              - k: v
                l:
                  - 1
                  - 2
              - []
              -
                - x
            empty: {}

            """, yaml, ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void Every_property_of_a_spec_has_a_key()
    {
        // A property that is neither written nor read would pass every round trip.
        AssertComplete(typeof(Host), "spec", ResourceKind.Host.Fields);
        AssertComplete(typeof(Provisioner.Profiles.Profile), "spec", ResourceKind.Profile.Fields);
        AssertComplete(typeof(Image), "spec", ResourceKind.Image.Fields);
        AssertComplete(typeof(Provisioner.Networks.Network), "spec", ResourceKind.Network.Fields);
    }

    [Fact]
    public void Writes_the_status_of_an_image_and_ignores_it_when_it_is_applied_again()
    {
        var image = new Image(new Metadata("debian-12") { ResourceVersion = 3, CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch },
            new ImageSpec { Architecture = CpuArchitecture.X64, Kernel = "vmlinuz" })
        {
            Status = new ImageStatus { ImportedAt = DateTimeOffset.UnixEpoch, Files = [new ImageFile("vmlinuz", 12, new string('a', 64), CpuArchitecture.X64)] },
        };
        Assert.Equal($$"""
            apiVersion: provisioner/v1
            kind: Image
            metadata:
              name: debian-12
              resourceVersion: 3
              createdAt: "1970-01-01T00:00:00Z"
              updatedAt: "1970-01-01T00:00:00Z"
            spec:
              architecture: x86_64
              kernel: vmlinuz
            status:
              importedAt: "1970-01-01T00:00:00Z"
              files:
                - path: vmlinuz
                  size: 12
                  sha256: {{new string('a', 64)}}
                  machine: x86_64

            """, ResourceWriter.ToYaml(image), ignoreLineEndingDifferences: true);
        AssertReadsBack(image with { Status = new() }, ResourceWriter.ToYaml(image));
    }

    private static void AssertComplete(Type type, string key, IReadOnlyList<FieldDescription> fields)
    {
        var spec = fields.First(f => f.Name == key);
        var inner = type.GetProperty(char.ToUpperInvariant(key[0]) + key[1..])!.PropertyType;
        if (inner.IsGenericType && inner.GetGenericTypeDefinition() == typeof(System.Collections.Immutable.ImmutableArray<>))
            inner = inner.GenericTypeArguments[0]; // The keys of a list are those of its items.
        var properties = inner.GetProperties();
        Assert.Equal(properties.Select(p => char.ToLowerInvariant(p.Name[0]) + p.Name[1..]).Order(StringComparer.Ordinal), spec.Fields.Select(f => f.Name).Order(StringComparer.Ordinal));
        foreach (var field in spec.Fields.Where(f => f.Fields.Count > 0))
            AssertComplete(inner, field.Name, spec.Fields);
        Assert.All(spec.Fields, f => Assert.NotEmpty(f.Description));
    }

    private static void AssertReadsBack(IResource resource, string text)
    {
        var read = ResourceReader.Read(text);
        Assert.True(read.Mistakes.Count == 0, string.Join('\n', read.Mistakes) + "\n" + text);
        var back = Assert.Single(read.Documents).Resource;
        Assert.Equal(Dump(resource), Dump(back));
        Assert.True(ResourceWriter.SameWish(resource, back));
    }

    // By reflection, so that it knows nothing of what the writer writes; the times are the appliance's own.
    private static string Dump(object? value) => value switch
    {
        null => "null",
        string text => $"'{text}'",
        IDictionary map => "{" + string.Join(", ", map.Keys.Cast<object>().Select(k => $"{k}={Dump(map[k])}")) + "}",
        IEnumerable items => "[" + string.Join(", ", items.Cast<object>().Select(Dump)) + "]",
        _ when value.GetType().Namespace?.StartsWith("Provisioner", StringComparison.Ordinal) == true && value.GetType() is { IsEnum: false, IsValueType: false } =>
            "(" + string.Join(", ", value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(p => p.Name is not ("CreatedAt" or "UpdatedAt")).Select(p => $"{p.Name}: {Dump(p.GetValue(value))}")) + ")",
        _ => value.ToString()!,
    };
}

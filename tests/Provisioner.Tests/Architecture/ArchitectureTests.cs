using ArchUnitNET.Domain;
using ArchUnitNET.Loader;
using static ArchUnitNET.Fluent.ArchRuleDefinition;

namespace Provisioner.Tests;

/// <summary>The rules of the layout that the compiler does not hold.</summary>
public sealed class ArchitectureTests
{
    private static readonly System.Reflection.Assembly Service = typeof(Provisioner.Storage.Snapshot).Assembly;

    private static readonly System.Reflection.Assembly Protocols = typeof(Provisioner.Protocols.MacAddress).Assembly;

    private static readonly ArchUnitNET.Domain.Architecture Loaded = new ArchLoader()
        .LoadAssemblies(Service, Protocols)
        .Build();

    [Fact]
    public void Only_Storage_sees_LiteDB() => OnlyIn("Storage", "LiteDB");

    [Fact]
    public void Only_Cli_sees_Spectre_Console() => OnlyIn("Cli", "Spectre.Console");

    [Fact]
    public void Only_Cli_sees_System_CommandLine() => OnlyIn("Cli", "System.CommandLine");

    [Fact]
    public void Only_Resources_sees_YamlDotNet() => OnlyIn("Resources", "YamlDotNet");

    [Fact]
    public void Only_Joining_sees_Tomlyn() => OnlyIn("Joining", "Tomlyn");

    [Fact]
    public void Only_Templates_sees_Handlebars() => OnlyIn("Templates", "HandlebarsDotNet");

    [Fact]
    public void Only_Certificates_Keys_sees_Pkcs11Interop() => OnlyIn("Certificates.Keys", "Net.Pkcs11Interop");

    [Fact]
    public void Only_Aws_sees_the_AWS_SDK() => OnlyIn("Aws", "Amazon");

    [Fact]
    public void Only_Kubernetes_sees_KubernetesClient() => OnlyIn("Kubernetes", "k8s");

    [Fact]
    public void Protocols_reference_nothing_but_the_framework()
    {
        var framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        Assert.All(Protocols.GetReferencedAssemblies(), reference =>
            Assert.True(File.Exists(Path.Combine(framework, reference.Name + ".dll")), $"{reference.Name} is not part of the framework"));
    }

    [Theory]
    [InlineData("System.IO.File")]
    [InlineData("System.IO.FileStream")]
    [InlineData("System.IO.Directory")]
    [InlineData("System.Net.Sockets.Socket")]
    [InlineData("System.Net.Dns")]
    [InlineData("System.Net.Http.HttpClient")]
    [InlineData("System.TimeProvider")]
    [InlineData("System.Diagnostics.Stopwatch")]
    [InlineData("System.Diagnostics.Process")]
    [InlineData("System.Threading.Thread")]
    [InlineData("System.Threading.Tasks.Task")]
    [InlineData("System.Environment")]
    [InlineData("System.Console")]
    public void Protocols_touch_no_file_socket_clock_or_thread(string type)
    {
        // The members of the framework that the assembly names, straight from its metadata: no rule engine between.
        using var file = File.OpenRead(Protocols.Location);
        using var image = new System.Reflection.PortableExecutable.PEReader(file);
        var metadata = System.Reflection.Metadata.PEReaderExtensions.GetMetadataReader(image);
        var named = metadata.TypeReferences.Select(metadata.GetTypeReference)
            .Select(reference => $"{metadata.GetString(reference.Namespace)}.{metadata.GetString(reference.Name)}").ToHashSet(StringComparer.Ordinal);
        Assert.Contains("System.ReadOnlySpan`1", named);
        Assert.DoesNotContain(type, named);
    }

    [Fact]
    public void Protocols_know_nothing_of_the_service() =>
        Assert.True(Types().That().ResideInAssembly(Protocols).Should().NotDependOnAny(Types().That().ResideInAssembly(Service)).HasNoViolations(Loaded));

    [Fact]
    public void The_rules_see_what_they_are_about()
    {
        // A rule about a package that was not loaded would hold for ever.
        foreach (var (package, folder) in new[] { ("LiteDB", "Storage"), ("YamlDotNet", "Resources"), ("HandlebarsDotNet", "Templates"), ("Net.Pkcs11Interop", "Certificates.Keys"), ("Tomlyn", "Joining"), ("Amazon", "Aws"), ("k8s", "Kubernetes") })
            Assert.Contains(Loaded.Types.Where(t => InFolder(t, folder)), t => t.Dependencies.Any(d => Within(d.Target.FullName, package)));
    }

    private static void OnlyIn(string folder, string package)
    {
        var wrong = Loaded.Types
            .Where(t => t.FullName.StartsWith("Provisioner.", StringComparison.Ordinal) && !InFolder(t, folder))
            .SelectMany(t => t.Dependencies.Where(d => Within(d.Target.FullName, package)).Select(d => $"{t.FullName} uses {d.Target.FullName}"))
            .Distinct();
        Assert.Empty(wrong);
    }

    private static bool InFolder(IType type, string folder) => Within(type.FullName, $"Provisioner.{folder}");

    private static bool Within(string name, string space) => name.StartsWith(space + ".", StringComparison.Ordinal);
}

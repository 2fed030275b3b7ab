using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Resources;
using Provisioner.Storage;
using Provisioner.Tests.Storage;

namespace Provisioner.Tests.Resources;

public sealed class ResourceChangesTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 22, 20, 0, 0, TimeSpan.Zero);

    private const string Rack = """
        kind: Host
        metadata: {name: a}
        spec: {macAddresses: ["52:54:00:00:00:0a"], architecture: x86_64, profile: worker, address: 10.77.0.20}
        ---
        kind: Profile
        metadata: {name: worker}
        spec: {image: debian}
        ---
        kind: Image
        metadata: {name: debian}
        spec: {architecture: x86_64, kernel: vmlinuz}
        ---
        kind: Network
        metadata: {name: rack}
        spec: {subnet: 10.77.0.0/24, interface: eth1, range: 10.77.0.100-10.77.0.199, gateway: 10.77.0.1, advertise: 10.77.0.2}
        ---
        kind: Cluster
        metadata: {name: prod}
        spec: {region: eu-west-1, kubernetesVersion: "1.34", remoteNodeNetworks: 10.77.0.0/24}
        """;

    private Snapshot state = Snapshot.Empty;

    public ResourceChangesTests() => Apply(Rack);

    [Fact]
    public void Creates_configures_or_leaves_each_document()
    {
        Assert.All(Apply(Rack), o => Assert.Equal(ApplyResult.Unchanged, o.Result));
        Assert.Equal(1, state.Hosts["a"].Metadata.ResourceVersion);
        Assert.Equal([new("Host", "a", ApplyResult.Configured), new("Profile", "worker", ApplyResult.Unchanged), new("Image", "debian", ApplyResult.Unchanged),
            new("Network", "rack", ApplyResult.Unchanged), new("Cluster", "prod", ApplyResult.Unchanged), new ApplyOutcome("Host", "b", ApplyResult.Created)],
            Apply(Rack.Replace("name: a}", "name: a, labels: {x: y}}", StringComparison.Ordinal) + "\n---\nkind: Host\nmetadata: {name: b}\nspec: {macAddresses: [\"52:54:00:00:00:0b\"], architecture: arm64}"));
        Assert.Equal(2, state.Hosts["a"].Metadata.ResourceVersion);
        Assert.Equal(Now, state.Hosts["a"].Metadata.CreatedAt);
    }

    [Fact]
    public void What_get_prints_can_be_applied_again()
    {
        foreach (var kind in ResourceKind.All)
        {
            var editor = new StateEditor(state, Now);
            var read = ResourceReader.Read(ResourceWriter.ToYaml(state.All(kind.Name)));
            Assert.Empty(read.Mistakes);
            Assert.All(ResourceChanges.Apply(editor, read.Documents, null), o => Assert.Equal(ApplyResult.Unchanged, o.Result));
            Assert.Empty(editor.Writes);
        }
    }

    [Fact]
    public void Applies_over_the_version_it_was_read_at_and_over_no_other()
    {
        var old = ResourceWriter.ToYaml(state.Hosts["a"]);
        Apply(old.Replace("architecture", "serial: S1\n  architecture", StringComparison.Ordinal), bare: false);
        var refused = Refused(old.Replace("architecture", "serial: S2\n  architecture", StringComparison.Ordinal), bare: false);
        Assert.Equal("Host a was changed by somebody else: it is at version 2", Assert.Single(refused.Mistakes).Message);
        Assert.Equal("Host z is not stored, so it has no version", Refused(old.Replace("name: a\n", "name: z\n", StringComparison.Ordinal), bare: false).Mistakes[0].Message);
        Assert.Equal("S1", state.Hosts["a"].Spec.Serial);
    }

    [Theory]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0c, 52-54-00-00-00-0A], architecture: x86_64}", "spec.macAddresses[1]", "52:54:00:00:00:0a belongs to Host a already")]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0b], architecture: x86_64, address: 10.77.0.20}", "spec.address", "10.77.0.20 is the address of Host a already")]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0b], architecture: x86_64, address: 10.77.0.150}", "spec.address", "10.77.0.150 lies in the range 10.77.0.100-10.77.0.199 of Network rack")]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0b], architecture: x86_64, address: 10.77.0.1}", "spec.address", "10.77.0.1 is the gateway of Network rack")]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0b], architecture: x86_64, address: 10.77.0.2}", "spec.address", "10.77.0.2 is the appliance's own address of Network rack")]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0b], architecture: x86_64, address: 10.77.0.255}", "spec.address", "10.77.0.255 is the network's or broadcast address of the subnet 10.77.0.0/24 of Network rack")]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0b], architecture: x86_64, profile: wrker}", "spec.profile", "there is no Profile 'wrker'; did you mean 'worker'?")]
    [InlineData("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: [52:54:00:00:00:0b], architecture: aarch64, profile: worker}", "spec.profile", "Profile worker installs Image debian, which is for x86_64; the host is aarch64")]
    [InlineData("kind: Profile\nmetadata: {name: p}\nspec: {image: fedora}", "spec.image", "there is no Image 'fedora'")]
    [InlineData("kind: Image\nmetadata: {name: debian}\nspec: {architecture: aarch64, kernel: vmlinuz}", "spec.architecture", "Image debian is for aarch64, but Host a would be built with it")]
    [InlineData("kind: Network\nmetadata: {name: n}\nspec: {subnet: 10.77.0.128/25}", "spec.subnet", "10.77.0.128/25 overlaps 10.77.0.0/24 of Network rack")]
    [InlineData("kind: Network\nmetadata: {name: n}\nspec: {subnet: 10.0.0.0/8}", "spec.subnet", "10.0.0.0/8 overlaps 10.77.0.0/24 of Network rack")]
    [InlineData("kind: Network\nmetadata: {name: n}\nspec: {subnet: 10.78.0.0/24, interface: eth1}", "spec.interface", "eth1 is the interface of Network rack already")]
    [InlineData("kind: Network\nmetadata: {name: rack}\nspec: {subnet: 10.77.0.0/24, range: 10.77.0.10-10.77.0.30}", "spec.subnet", "the address 10.77.0.20 of Host a lies in the range 10.77.0.10-10.77.0.30")]
    public void Refuses_what_contradicts_what_is_there(string document, string path, string message)
    {
        var refused = Refused(document);
        var mistake = Assert.Single(refused.Mistakes);
        Assert.Equal((path, message), (mistake.Path, mistake.Message));
        Assert.True(mistake.Line > 1 && mistake.Expected is not null, mistake.ToString());
        Assert.Equal(RefusalKind.Conflict, refused.Kind);
    }

    [Fact]
    public void Refuses_all_of_a_text_with_every_mistake_in_it()
    {
        var before = state;
        var refused = Refused("""
            kind: Host
            metadata: {name: b}
            spec: {macAddresses: ["52:54:00:00:00:0b"], architecture: x86_64, address: 10.77.0.30}
            ---
            kind: Host
            metadata: {name: c}
            spec: {macAddresses: ["52:54:00:00:00:0b"], architecture: x86_64, address: 10.77.0.30, profile: none}
            ---
            kind: Host
            metadata: {name: b}
            spec: {macAddresses: ["52:54:00:00:00:0d"], architecture: x86_64}
            """);
        Assert.Equal("""
            1 52:54:00:00:00:0b belongs to Host c already (document 2 of this text)
            1 10.77.0.30 is the address of Host c already (document 2 of this text)
            2 52:54:00:00:00:0b belongs to Host b already (document 1 of this text)
            2 10.77.0.30 is the address of Host b already (document 1 of this text)
            2 there is no Profile 'none'
            3 Host b is already in document 1 of this text
            """, string.Join('\n', refused.Mistakes.Select(m => $"{m.Document} {m.Message}")), ignoreLineEndingDifferences: true);
        Assert.Same(before, state);
    }

    [Fact]
    public void Lets_a_MAC_address_move_between_hosts_of_one_text()
    {
        Apply("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: ['52:54:00:00:00:0a'], architecture: x86_64}\n---\n"
            + "kind: Host\nmetadata: {name: a}\nspec: {macAddresses: ['52:54:00:00:00:0b'], architecture: x86_64}");
        Assert.Equal(["52:54:00:00:00:0a=b", "52:54:00:00:00:0b=a"], state.HostByMacAddress.Select(p => $"{p.Key}={p.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Registering_a_discovered_machine_takes_it_off_the_list()
    {
        var editor = new StateEditor(state, Now);
        editor.Put(new Discovered(Protocols.MacAddress.Parse("52:54:00:00:00:0b")));
        state = editor.Snapshot;
        Apply("kind: Host\nmetadata: {name: b}\nspec: {macAddresses: ['52:54:00:00:00:0b'], architecture: x86_64}");
        Assert.Empty(state.Discovered);
    }

    [Fact]
    public void Applying_an_image_keeps_what_was_imported()
    {
        var editor = new StateEditor(state, Now);
        editor.Put(StoreFixture.Image("debian"));
        state = editor.Snapshot;
        Assert.Equal(ApplyResult.Configured, Apply("kind: Image\nmetadata: {name: debian}\nspec: {architecture: x86_64, kernel: vmlinuz, kernelArguments: [quiet]}")[0].Result);
        Assert.Equal(2, state.Images["debian"].Status.Files.Length);
        Assert.Equal(["quiet"], state.Images["debian"].Spec.KernelArguments);
    }

    [Fact]
    public void Registers_an_imported_image_and_checks_it_like_a_document()
    {
        var editor = new StateEditor(state, Now);
        var bad = StoreFixture.Image("Debian 12") with { Spec = StoreFixture.Image().Spec with { KernelArguments = ["a b"] } };
        Assert.Equal(["metadata.name", "spec.kernelArguments[0]"], Assert.Throws<ChangeRefusedException>(() => ImageChanges.Register(editor, bad, null)).Mistakes.Select(m => m.Path));
        var other = StoreFixture.Image("debian") with { Spec = StoreFixture.Image().Spec with { Architecture = CpuArchitecture.Arm64 } };
        Assert.Contains("Host a would be built with it", Assert.Throws<ChangeRefusedException>(() => ImageChanges.Register(editor, other, null)).Message, StringComparison.Ordinal);
        Assert.Equal(2, ImageChanges.Register(editor, StoreFixture.Image("debian"), "me").Metadata.ResourceVersion);
    }

    [Theory]
    [InlineData("image", "debian", "Image debian is used by Profile worker")]
    [InlineData("Profile", "worker", "Profile worker is used by Host a")]
    public void Refuses_to_delete_what_is_used(string kind, string name, string message) =>
        Assert.Equal(message, Assert.Throws<ChangeRefusedException>(() => ResourceChanges.Delete(new StateEditor(state, Now), kind, name, null)).Mistakes[0].Message);

    [Fact]
    public void Deletes_from_the_user_down_and_says_what_is_not_there()
    {
        foreach (var (kind, name) in new[] { ("hosts", "a"), ("profiles", "worker"), ("img", "debian"), ("Network", "rack") })
        {
            var editor = new StateEditor(state, Now);
            ResourceChanges.Delete(editor, kind, name, "me");
            Assert.Equal("me", Assert.Single(editor.Events).Actor);
            state = editor.Snapshot;
        }
        Assert.Empty(state.Hosts.Keys.Concat(state.Profiles.Keys).Concat(state.Images.Keys).Concat(state.Networks.Keys));
        Assert.Empty(state.HostByMacAddress);
        Assert.Equal(RefusalKind.NotFound, Assert.Throws<ChangeRefusedException>(() => ResourceChanges.Delete(new StateEditor(state, Now), "host", "a", null)).Kind);
        Assert.Equal(RefusalKind.NotFound, Assert.Throws<ChangeRefusedException>(() => ResourceChanges.Delete(new StateEditor(state, Now), "cluster", "a", null)).Kind);
    }

    [Fact]
    public void Refuses_to_delete_a_host_that_is_being_installed()
    {
        var editor = new StateEditor(state, Now);
        editor.Put(StoreFixture.Image("debian") with { Spec = state.Images["debian"].Spec });
        HostChanges.Provision(editor, "a", null, null);
        Assert.Contains("the Installation open until", Assert.Throws<ChangeRefusedException>(() => ResourceChanges.Delete(editor, "host", "a", null)).Message, StringComparison.Ordinal);
        HostChanges.Cancel(editor, "a", null);
        ResourceChanges.Delete(editor, "host", "a", null);
        Assert.Empty(editor.Snapshot.Installations);
    }

    private static IReadOnlyList<ResourceDocument> Read(string text, bool bare)
    {
        var read = ResourceReader.Read(bare ? string.Join("\n---\n", text.Split("\n---\n").Select(d => "apiVersion: provisioner/v1\n" + d)) : text);
        Assert.Empty(read.Mistakes);
        return read.Documents;
    }

    private System.Collections.Immutable.ImmutableArray<ApplyOutcome> Apply(string text, bool bare = true)
    {
        var editor = new StateEditor(state, Now);
        var outcomes = ResourceChanges.Apply(editor, Read(text, bare), "me");
        Assert.Equal(outcomes.Count(o => o.Result != ApplyResult.Unchanged), editor.Events.Count);
        state = editor.Snapshot;
        return outcomes;
    }

    private ChangeRefusedException Refused(string text, bool bare = true) =>
        Assert.Throws<ChangeRefusedException>(() => ResourceChanges.Apply(new StateEditor(state, Now), Read(text, bare), null));
}

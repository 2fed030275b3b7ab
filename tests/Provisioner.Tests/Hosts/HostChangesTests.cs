using Provisioner.Boot;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;
using Provisioner.Tests.Storage;

namespace Provisioner.Tests.Hosts;

public sealed class HostChangesTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 22, 20, 0, 0, TimeSpan.Zero);

    private static readonly MacAddress Mac = MacAddress.Parse("52:54:00:aa:00:01");

    private readonly StateEditor editor = new(Snapshot.Empty, Now);

    public HostChangesTests()
    {
        editor.Put(StoreFixture.Image());
        editor.Put(StoreFixture.Profile());
        editor.Put(new Discovered(Mac) { Architecture = "UEFI x64", Serial = "SN-7", Times = 3, LastSeen = Now });
        editor.Put(StoreFixture.Host(1, "worker"));
    }

    [Fact]
    public void Adopts_a_discovered_machine_with_what_it_said()
    {
        var host = HostChanges.Adopt(editor, new Adoption(Mac, "gpu-1") { Profile = "worker" }, "alice");
        Assert.Equal((CpuArchitecture.X64, "SN-7", "worker"), (host.Spec.Architecture, host.Spec.Serial, host.Spec.Profile));
        Assert.Equal("gpu-1", editor.Snapshot.HostByMacAddress[Mac]);
        Assert.Empty(editor.Snapshot.Discovered);
        var recorded = Assert.Single(editor.Events);
        Assert.Equal(("gpu-1", "alice", "Host/gpu-1", Now), (recorded.Host, recorded.Actor, recorded.Subject, recorded.At));
    }

    [Theory]
    [InlineData("legacy BIOS", CpuArchitecture.X64)]
    [InlineData("UEFI arm64", CpuArchitecture.Arm64)]
    [InlineData("Raspberry Pi", CpuArchitecture.Arm64)]
    public void Derives_the_architecture_from_the_firmware(string said, CpuArchitecture expected)
    {
        editor.Put(new Discovered(Mac) { Architecture = said });
        Assert.Equal(expected, HostChanges.Adopt(editor, new Adoption(Mac, "x"), null).Spec.Architecture);
    }

    [Fact]
    public void Keeps_no_serial_number_that_a_document_could_not_hold()
    {
        editor.Put(new Discovered(Mac) { Architecture = "UEFI x64", Serial = "a\nb" });
        Assert.Null(HostChanges.Adopt(editor, new Adoption(Mac, "x"), null).Spec.Serial);
    }

    [Fact]
    public void Refuses_to_adopt_what_was_never_seen() =>
        Refused(RefusalKind.NotFound, "52:54:00:00:00:99 has not been seen", () => HostChanges.Adopt(editor, new Adoption(MacAddress.Parse("525400000099"), "x"), null));

    [Fact]
    public void Refuses_to_adopt_a_registered_MAC_with_its_owner() =>
        Refused(RefusalKind.Conflict, "52:54:00:00:00:01 belongs to Host worker-1 already", () => HostChanges.Adopt(editor, new Adoption(new MacAddress(0x5254_0000_0001UL), "x"), null));

    [Fact]
    public void Refuses_a_name_in_use() =>
        Refused(RefusalKind.Conflict, "there is a Host worker-1 already", () => HostChanges.Adopt(editor, new Adoption(Mac, "worker-1"), null));

    [Fact]
    public void Refuses_a_missing_profile_and_names_the_nearest() =>
        Refused(RefusalKind.Conflict, "there is no Profile 'wroker'; did you mean 'worker'?", () => HostChanges.Adopt(editor, new Adoption(Mac, "x") { Profile = "wroker" }, null));

    [Fact]
    public void Refuses_a_bad_name_and_an_architecture_that_is_not_the_machines_own_at_once()
    {
        var refused = Assert.Throws<ChangeRefusedException>(() => HostChanges.Adopt(editor, new Adoption(Mac, "Big_One") { Architecture = CpuArchitecture.Arm64 }, null));
        Assert.Equal(["name", "architecture"], refused.Mistakes.Select(m => m.Path));
    }

    [Fact]
    public void Asks_for_the_architecture_of_a_machine_that_did_not_say_it()
    {
        editor.Put(new Discovered(Mac));
        Refused(RefusalKind.Invalid, "the machine has not said what it is", () => HostChanges.Adopt(editor, new Adoption(Mac, "x"), null));
        Assert.Equal(CpuArchitecture.Arm64, HostChanges.Adopt(editor, new Adoption(Mac, "x") { Architecture = CpuArchitecture.Arm64 }, null).Spec.Architecture);
        editor.Put(new Discovered(new MacAddress(77)) { Architecture = "UEFI x86 (32-bit)" });
        Refused(RefusalKind.Invalid, "'UEFI x86 (32-bit)' names no architecture that can be installed", () => HostChanges.Adopt(editor, new Adoption(new MacAddress(77), "y"), null));
    }

    [Fact]
    public void Refuses_a_profile_whose_image_is_for_another_architecture()
    {
        editor.Put(new Discovered(Mac) { Architecture = "UEFI arm64" });
        Refused(RefusalKind.Conflict, "Profile worker installs Image debian-12, which is for x86_64; the host is aarch64", () => HostChanges.Adopt(editor, new Adoption(Mac, "x") { Profile = "worker" }, null));
    }

    [Fact]
    public void Opens_an_installation_for_two_hours_and_replaces_the_one_before()
    {
        var first = HostChanges.Provision(editor, "worker-1", null, "alice");
        Assert.Equal((Now, Now.AddHours(2), "worker", "debian-12", "alice"), (first.OpenedAt, first.ClosesAt, first.Profile, first.Image, first.Actor));
        Assert.Matches("^[0-9a-f]{32}$", first.Id);
        var second = HostChanges.Provision(editor, "worker-1", TimeSpan.FromMinutes(30), "bob");
        Assert.Equal(second, editor.Snapshot.Installations["worker-1"]);
        Assert.Equal("replaced by a new one", ((Installation)editor.Writes[new(RecordKind.Installation, first.Id)]!).ClosedBecause);
        var cancelled = HostChanges.Cancel(editor, "worker-1", "bob");
        Assert.False(cancelled.IsOpenAt(Now));
        Refused(RefusalKind.Conflict, "Host worker-1 has no open Installation", () => HostChanges.Cancel(editor, "worker-1", null));
        Assert.Equal(3, editor.Events.Count);
    }

    [Fact]
    public void Refuses_to_provision_what_cannot_be_installed()
    {
        Refused(RefusalKind.NotFound, "there is no Host 'worker-2'; did you mean 'worker-1'?", () => HostChanges.Provision(editor, "worker-2", null, null));
        Refused(RefusalKind.Invalid, "the window of 00:00:01 is out of bounds", () => HostChanges.Provision(editor, "worker-1", TimeSpan.FromSeconds(1), null));
        editor.Put(StoreFixture.Host(3));
        Refused(RefusalKind.Conflict, "Host worker-3 has no profile", () => HostChanges.Provision(editor, "worker-3", null, null));
        editor.Put(new Image(new Metadata("empty"), StoreFixture.Image().Spec));
        editor.Put(StoreFixture.Profile("not-imported", "empty"));
        editor.Put(StoreFixture.Host(4, "not-imported"));
        Refused(RefusalKind.Conflict, "Image empty has no files yet", () => HostChanges.Provision(editor, "worker-4", null, null));
        editor.Put(StoreFixture.Image("partial") with { Status = new() { Files = [StoreFixture.Image().Status.Files[0]] } });
        editor.Put(StoreFixture.Profile("partial", "partial"));
        editor.Put(StoreFixture.Host(5, "partial"));
        Refused(RefusalKind.Conflict, "Image partial has no file initrd.gz", () => HostChanges.Provision(editor, "worker-5", null, null));
        Assert.Empty(editor.Snapshot.Installations);
    }

    private static void Refused(RefusalKind kind, string message, Func<object> change)
    {
        var refused = Assert.Throws<ChangeRefusedException>(() => { change(); });
        Assert.Equal(kind, refused.Kind);
        Assert.Equal(message, Assert.Single(refused.Mistakes).Message);
    }
}

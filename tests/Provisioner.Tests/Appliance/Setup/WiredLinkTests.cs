using System.Collections.Immutable;
using Provisioner.Appliance.Setup;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Tests.Appliance.Setup;

public sealed class WiredLinkTests
{
    private static readonly WiredLink One = new("eno1", MacAddress.Parse("52:54:00:12:34:56"), null), Other = new("eno2", MacAddress.Parse("52:54:00:12:34:57"), true);

    [Fact]
    public void Cards_with_a_cable_are_found_and_nothing_else()
    {
        using var directory = new TemporaryDirectory();
        Write(directory, "eno2", "52:54:00:12:34:57", "1", device: true, carrier: "1\n");
        Write(directory, "eno1", "52:54:00:12:34:56", "1", device: true, carrier: null);
        Write(directory, "lo", "00:00:00:00:00:00", "772", device: false, carrier: "1\n");
        Write(directory, "br0", "52:54:00:12:34:58", "1", device: false, carrier: "1\n");
        Write(directory, "wlan0", "52:54:00:12:34:59", "1", device: true, carrier: "1\n");
        Directory.CreateDirectory(directory["wlan0/wireless"]);

        Assert.Equal([One, Other], WiredLink.Find(directory[""]));
    }

    [Theory]
    [InlineData("eno1", null, "eno1")]
    [InlineData(null, "52:54:00:12:34:57", "eno2")]
    [InlineData(null, null, "eno2")] // The one with a cable.
    public void The_one_that_is_meant(string? name, string? macAddress, string expected) =>
        Assert.Equal(expected, WiredLink.Choose(new ProvisioningAnswers { Interface = name, MacAddress = macAddress is null ? null : MacAddress.Parse(macAddress) }, [One, Other]).Name);

    [Fact]
    public void Where_it_is_not_clear_which_all_are_named()
    {
        var told = Assert.Throws<ChangeRefusedException>(() => WiredLink.Choose(new ProvisioningAnswers(), [One, Other with { HasCarrier = null }])).Message;
        Assert.Contains("which interface do servers boot on? There are eno1 (52:54:00:12:34:56), eno2 (52:54:00:12:34:57)", told, StringComparison.Ordinal);
        var none = Assert.Throws<ChangeRefusedException>(() => WiredLink.Choose(new ProvisioningAnswers { Interface = "eth7" }, ImmutableArray<WiredLink>.Empty)).Message;
        Assert.Contains("there is no wired interface 'eth7': this machine has no wired network card", none, StringComparison.Ordinal);
    }

    private static void Write(TemporaryDirectory directory, string name, string address, string type, bool device, string? carrier)
    {
        Directory.CreateDirectory(directory[name]);
        File.WriteAllText(directory[$"{name}/address"], address + "\n");
        File.WriteAllText(directory[$"{name}/type"], type + "\n");
        if (device)
            Directory.CreateDirectory(directory[$"{name}/device"]);
        if (carrier is not null)
            File.WriteAllText(directory[$"{name}/carrier"], carrier);
    }
}

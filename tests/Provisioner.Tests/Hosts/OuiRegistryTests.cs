using Provisioner.Hosts;
using Provisioner.Protocols;

namespace Provisioner.Tests.Hosts;

public sealed class OuiRegistryTests
{
    [Theory]
    [InlineData("b8:27:eb:00:00:01", "Raspberry Pi")]
    [InlineData("52:54:00:12:34:56", "QEMU/KVM")]
    [InlineData("00:50:56:00:00:01", "VMware")]
    [InlineData("02:00:00:00:00:01", null)]
    public void Names_the_maker_of_a_card(string mac, string? maker) => Assert.Equal(maker, OuiRegistry.Find(MacAddress.Parse(mac)));
}

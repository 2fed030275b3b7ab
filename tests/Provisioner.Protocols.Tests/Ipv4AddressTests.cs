using CsCheck;

namespace Provisioner.Protocols.Tests;

public sealed class Ipv4AddressTests
{
    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("10.0.0")]
    [InlineData("10.0.0.0.1")]
    [InlineData("10.0.0.256")]
    [InlineData("010.0.0.1")]
    [InlineData("0x0a.0.0.1")]
    [InlineData("10.0.0.-1")]
    [InlineData("10.0.0. 1")]
    [InlineData("10..0.1")]
    public void Only_four_plain_decimals_are_an_address(string text) => Assert.False(Ipv4Address.TryParse(text, out _));

    [Fact]
    public void Text_octets_and_the_frameworks_form_round_trip() => Gen.UInt.Sample(bits =>
    {
        var address = new Ipv4Address(bits);
        Span<byte> octets = stackalloc byte[4];
        address.CopyTo(octets);
        return new Ipv4Address(octets) == address && Ipv4Address.Parse(address.ToString()) == address
            && Ipv4Address.From(address.ToIPAddress()) == address && Ipv4Address.From(address.ToIPAddress().MapToIPv6()) == address;
    });

    [Fact]
    public void Any_text_is_taken_or_refused_without_an_exception() => Gen.String.Sample(text =>
        Ipv4Address.TryParse(text, out var address) == (address.ToString() == text)
        && (!Ipv4Cidr.TryParse(text, out var subnet) || subnet.ToString() == text));

    [Fact]
    public void A_subnet_knows_its_addresses()
    {
        var subnet = Ipv4Cidr.Parse("10.77.0.0/23");

        Assert.Equal("255.255.254.0", subnet.Mask.ToString());
        Assert.Equal("10.77.1.255", subnet.BroadcastAddress.ToString());
        Assert.True(subnet.Contains(Ipv4Address.Parse("10.77.1.9")));
        Assert.False(subnet.Contains(Ipv4Address.Parse("10.77.2.0")));
        Assert.False(subnet.IsHostAddress(subnet.Network));
        Assert.False(subnet.IsHostAddress(subnet.BroadcastAddress));
        Assert.True(Ipv4Cidr.Parse("10.0.0.0/31").IsHostAddress(Ipv4Address.Parse("10.0.0.0")));
        Assert.True(Ipv4Cidr.Parse("0.0.0.0/0").Contains(Ipv4Address.Broadcast));
    }

    [Theory]
    [InlineData("10.77.0.1/24")]
    [InlineData("10.77.0.0/33")]
    [InlineData("10.77.0.0")]
    [InlineData("10.77.0.0/+8")]
    public void A_subnet_is_written_by_its_own_address(string text) => Assert.False(Ipv4Cidr.TryParse(text, out _));
}

using CsCheck;

namespace Provisioner.Protocols.Tests;

public sealed class MacAddressTests
{
    [Theory]
    [InlineData("52:54:00:ab:cd:ef")]
    [InlineData("52-54-00-ab-cd-ef")]
    [InlineData("52.54.00.ab.cd.ef")]
    [InlineData("5254.00ab.cdef")]
    [InlineData("5254-00ab-cdef")]
    [InlineData("525400abcdef")]
    [InlineData("525400ABCDEF")]
    [InlineData("52:54:00:AB:CD:EF")]
    [InlineData("  52:54:00:ab:cd:ef\t")]
    public void Every_notation_people_paste_is_the_same_address(string text)
    {
        Assert.True(MacAddress.TryParse(text, out var mac));
        Assert.Equal("52:54:00:ab:cd:ef", mac.ToString());
        Assert.Equal("52-54-00-ab-cd-ef", mac.ToDashed());
        Assert.Equal(0x525400u, mac.Oui);
    }

    [Theory]
    [InlineData("")]
    [InlineData("52:54:00:ab:cd")]
    [InlineData("52:54:00:ab:cd:ef:01")]
    [InlineData("52:54-00:ab:cd:ef")]
    [InlineData("52:54:00:ab:cd:eg")]
    [InlineData("5254.00ab:cdef")]
    [InlineData("52540 0abcdef")]
    [InlineData("525400abcde٣")]
    public void What_is_no_address_is_refused(string text) => Assert.False(MacAddress.TryParse(text, out _));

    [Fact]
    public void Text_and_octets_round_trip() => Gen.ULong[0, 0xFFFF_FFFF_FFFF].Sample(bits =>
    {
        var mac = new MacAddress(bits);
        Span<byte> octets = stackalloc byte[6];
        mac.CopyTo(octets);
        return new MacAddress(octets) == mac && MacAddress.Parse(mac.ToString()) == mac && MacAddress.Parse(mac.ToDashed()) == mac;
    });

    [Fact]
    public void Any_text_is_taken_or_refused_without_an_exception() => Gen.String.Sample(text => !MacAddress.TryParse(text, out var mac) || MacAddress.Parse(mac.ToString()) == mac);
}

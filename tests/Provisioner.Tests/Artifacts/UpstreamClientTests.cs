using System.Net;
using Provisioner.Artifacts;

namespace Provisioner.Tests.Artifacts;

public sealed class UpstreamClientTests
{
    [Theory]
    [InlineData("91.189.91.83", true)]
    [InlineData("172.15.0.1", true)]
    [InlineData("100.128.0.1", true)]
    [InlineData("2620:2d:4000:1::101", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.0.0.1", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("192.168.1.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:169.254.169.254", false)]
    [InlineData("::ffff:91.189.91.83", true)]
    [InlineData("64:ff9b::a9fe:a9fe", false)]
    [InlineData("64:ff9b::5bbd:5b53", true)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("ff02::1", false)]
    public void Knows_which_addresses_are_public(string address, bool isPublic) =>
        Assert.Equal(isPublic, UpstreamClient.IsPublic(IPAddress.Parse(address)));
}

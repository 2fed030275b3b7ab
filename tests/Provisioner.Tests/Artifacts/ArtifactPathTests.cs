using System.Text;
using CsCheck;
using Provisioner.Artifacts;

namespace Provisioner.Tests.Artifacts;

public sealed class ArtifactPathTests
{
    [Theory]
    [InlineData("/artifacts/ubuntu/dists/noble/InRelease", "ubuntu", "dists/noble/InRelease")]
    [InlineData("/artifacts/ubuntu/pool/c/curl_8.5.0-2ubuntu10%7e1%2Bb_amd64.deb", "ubuntu", "pool/c/curl_8.5.0-2ubuntu10~1+b_amd64.deb")]
    [InlineData("/artifacts/nodeadm/from/10.0.0.1:8080/a", "nodeadm", "from/10.0.0.1:8080/a")]
    [InlineData("/artifacts/up/.treeinfo", "up", ".treeinfo")]
    [InlineData("/artifacts/up/./x/././y", "up", "x/y")]
    [InlineData("/artifacts/up/a...b/..c", "up", "a...b/..c")]
    public void Reads_names_that_packages_have(string target, string upstream, string rest)
    {
        Assert.True(ArtifactPath.TryParse(Encoding.ASCII.GetBytes(target), out var path, out _));
        Assert.Equal((upstream, rest), (path.Upstream, path.Rest));
    }

    [Theory]
    [InlineData("/artifacts/up/../x", "dot segment")]
    [InlineData("/artifacts/../up/x", "dot segment")]
    [InlineData("/artifacts/up/%2E%2e/x", "dot segment")]
    [InlineData("/artifacts/up/..%2fx", "0x2f")]
    [InlineData("/artifacts/up/..%5Cx", "0x5c")]
    [InlineData("/artifacts/up/%252e%252e/x", "0x25")]
    [InlineData("/artifacts/up/x%00", "0x00")]
    [InlineData("/artifacts/up/x%0d%0aHost:%20evil", "0x0d")]
    [InlineData("/artifacts/up/x%c3%a9", "0xc3")]
    [InlineData("/artifacts/up/x%4", "two hexadecimal digits")]
    [InlineData("/artifacts/up/x%zz", "two hexadecimal digits")]
    [InlineData("/artifacts/up/x?y", "query")]
    [InlineData("/artifacts/up/x#y", "query")]
    [InlineData("/artifacts/up//x", "empty part")]
    [InlineData("/artifacts/up/x/", "empty part")]
    [InlineData("/artifacts//x", "empty part")]
    [InlineData("/artifacts/up", "no FILE")]
    [InlineData("/artifacts/./up", "no FILE")]
    [InlineData("/artifacts/.", "no FILE")]
    [InlineData("/artifacts/up/./../x", "dot segment")]
    [InlineData("http://evil/artifacts/up/x", "begin with /artifacts/")]
    [InlineData("/artifacts", "begin with /artifacts/")]
    public void Refuses_what_an_upstream_could_read_otherwise(string target, string why)
    {
        Assert.False(ArtifactPath.TryParse(Encoding.ASCII.GetBytes(target), out _, out var reason));
        Assert.Contains(why, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_is_accepted_stays_below_its_upstream()
    {
        string[] parts = ["..", "%2e%2e", ".%2e", "%2f", "a/b"];
        var alphabet = Gen.OneOf(Gen.Char["abcAZ019./%+~:@=\\?#"], Gen.Char);
        Gen.OneOf(Gen.String[alphabet, 0, 40], Gen.Int[0, 4].Select(i => parts[i]).Array[1, 6].Select(chosen => string.Join('/', chosen))).Sample(text =>
        {
            if (!ArtifactPath.TryParse(Encoding.UTF8.GetBytes("/artifacts/up/" + text), out var path, out _))
                return;
            var url = new Uri(new Uri("http://mirror.example/base/"), "./" + ArtifactPath.Escape(path.Rest));
            Assert.StartsWith("http://mirror.example/base/", url.AbsoluteUri, StringComparison.Ordinal);
            Assert.Equal(path.Rest, Uri.UnescapeDataString(url.AbsolutePath["/base/".Length..]));
            Assert.Equal("", url.Query);
        });
    }

    [Fact]
    public void Never_throws() =>
        Gen.Byte.Array[0, 60].Sample(bytes => { _ = ArtifactPath.TryParse([.. "/artifacts/"u8, .. bytes], out _, out _); });
}

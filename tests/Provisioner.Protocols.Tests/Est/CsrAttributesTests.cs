using System.Text;
using Provisioner.Protocols.Est;

namespace Provisioner.Protocols.Tests.Est;

public sealed class CsrAttributesTests
{
    [Fact]
    public void Are_the_bytes_worked_out_by_hand() =>
        Assert.Equal("3021" + "3015" + "06072A8648CE3D0201" + "310A" + "06082A8648CE3D030107" + "06082A8648CE3D040302", Convert.ToHexString(CsrAttributes.Encode()));

    [Fact]
    public async Task Openssl_reads_them()
    {
        var read = Encoding.UTF8.GetString(await Tool.Run(CsrAttributes.Encode(), "openssl", "asn1parse", "-inform", "DER"));
        // Of "   2:d=1  hl=2 l=  21 cons: SEQUENCE", what is behind the form.
        Assert.Equal(
            ["SEQUENCE", "SEQUENCE", "OBJECT :id-ecPublicKey", "SET", "OBJECT :prime256v1", "OBJECT :ecdsa-with-SHA256"],
            read.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => string.Join(' ', line[(line.IndexOf(": ", StringComparison.Ordinal) + 2)..].Split(' ', StringSplitOptions.RemoveEmptyEntries))));
    }
}

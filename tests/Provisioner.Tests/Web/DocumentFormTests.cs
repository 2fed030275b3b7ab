using Provisioner.Resources;
using Provisioner.Tests.Resources;
using Provisioner.Web.Forms;
using Provisioner.Web.Parts;

namespace Provisioner.Tests.Web;

/// <summary>A document, looked at and filled in field by field.</summary>
public sealed class DocumentFormTests
{
    private static readonly FieldDescription Profile = Spec(ResourceKind.Profile);

    private static readonly FieldDescription Network = Spec(ResourceKind.Network);

    [Fact]
    public void How_a_field_is_filled_in_is_said_by_its_description()
    {
        Assert.Equal(FieldControl.Text, Control(Network, "subnet"));
        Assert.Equal(FieldControl.Choice, Control(Network, "dhcp"));
        Assert.Equal(["off", "proxy", "reserve"], Field(Network, "dhcp").Words);
        Assert.Equal("off", Field(Network, "dhcp").Default);
        Assert.Equal(FieldControl.Switch, Control(Network, "allowUnknown"));
        Assert.Equal("false", Field(Network, "allowUnknown").Default);
        Assert.Equal(FieldControl.Number, Control(Network, "tftpBlockSize"));
        Assert.Equal(FieldControl.Items, Control(Network, "dns"));
        Assert.Equal(FieldControl.Choice, Control(Profile, "image"));
        Assert.Equal(("Image", "Cluster"), (Field(Profile, "image").RefersTo, Field(Profile, "cluster").RefersTo));
        Assert.Equal(FieldControl.Group, Control(Profile, "install"));
        Assert.Equal(FieldControl.Groups, Control(Profile, "install.users"));
        Assert.Equal(FieldControl.Secret, Control(Profile, "install.users.passwordHash"));
        Assert.Equal(FieldControl.Lines, Control(Profile, "install.after"));
        Assert.Equal(FieldControl.Lines, Control(Profile, "node.containerdConfig"));
        Assert.Equal(FieldControl.Pairs, Control(Profile, "node.labels"));
        // A mapping of anything is left to the YAML.
        Assert.Equal(FieldControl.Yaml, Control(Profile, "node.kubeletConfig"));
        // What the appliance writes, and what has one value alone, is nobody's to fill in.
        foreach (var kind in ResourceKind.All)
        {
            Assert.Equal(["metadata", "spec"], kind.Fields.Where(f => DocumentForm.ControlOf(f) != FieldControl.Hidden).Select(f => f.Name));
            Assert.Equal(["name", "labels"], kind.Fields.Single(f => f.Name == "metadata").Fields.Where(f => DocumentForm.ControlOf(f) != FieldControl.Hidden).Select(f => f.Name));
        }
    }

    /// <summary>Every example is shown whole, and each of its fields can be changed to what it says already.</summary>
    [Fact]
    public void Every_kind_is_shown_and_filled_in()
    {
        foreach (var kind in ResourceKind.All)
        {
            var form = DocumentForm.Of(Examples.Of(kind.Name));
            Assert.Null(form.WhyNot);
            foreach (var part in kind.Fields.Where(f => DocumentForm.ControlOf(f) == FieldControl.Group))
            {
                Assert.Empty(form.OtherKeys(DocumentPath.Root[part.Name], part.Fields));
                foreach (var field in part.Fields.Where(f => f.Type != "array" && form.WordAt(DocumentPath.Root[part.Name][f.Name]) is not null))
                {
                    var path = DocumentPath.Root[part.Name][field.Name];
                    Assert.True(form.CanShow(field, path));
                    Assert.Equal(form.WordAt(path), form.With(path, DocumentForm.ValueOf(field, form.WordAt(path)!))?.WordAt(path));
                }
            }
            // But for the public key, which is nobody's, examples are right as they are.
            Assert.All(ResourceReader.Read(form.Text).Mistakes, m => Assert.Equal("spec.install.users[0].sshKeys[0]", m.Path));
        }
    }

    [Fact]
    public void What_is_typed_is_a_value_of_the_document_whether_it_is_right_or_not()
    {
        var form = DocumentForm.Of(Examples.Of("Network"));
        form = Type(form, Network, "dns", " 10.0.0.1 \n\n10.0.0.300\n");
        Assert.Equal(["10.0.0.1", "10.0.0.300"], form.ItemsAt(Path("dns")));
        Assert.Equal("spec.dns[1]", Assert.Single(ResourceReader.Read(form.Text).Mistakes).Path);
        form = Type(form, Network, "dns", "\n");
        Assert.False(form.Has(Path("dns")));
        form = Type(form, Network, "tftpBlockSize", "1468");
        Assert.Contains("tftpBlockSize: 1468\n", form.Text, StringComparison.Ordinal);
        form = Type(form, Network, "tftpBlockSize", "many");
        Assert.Equal("spec.tftpBlockSize", Assert.Single(ResourceReader.Read(form.Text).Mistakes).Path);
        form = Type(form, Network, "tftpBlockSize", "");
        form = Type(form, Network, "allowUnknown", "true");
        Assert.Contains("allowUnknown: true\n", form.Text, StringComparison.Ordinal);
        // A word that YAML takes for something else is still that word.
        form = Type(form, Network, "domain", "no");
        Assert.Equal("no", form.WordAt(Path("domain")));
        Assert.Empty(ResourceReader.Read(form.Text).Mistakes);
        form = Type(form, Network, "subnet", " ");
        Assert.Equal("spec.subnet", Assert.Single(ResourceReader.Read(form.Text).Mistakes).Path);
    }

    [Fact]
    public void What_the_form_cannot_show_stays_as_it_is_and_is_named()
    {
        const string Text = """
            kind: Profile
            spec:
              image: [a]   # odd
              mystery: { deep: [1, { x: y }] }
              node:
                kubeletConfig:
                  maxPods: 50  # of 110
                labels: { a: { b: c } }
              image: second

            """;
        var form = DocumentForm.Of(Text);
        Assert.False(form.CanShow(Field(Profile, "image"), Path("image")));
        Assert.False(form.CanShow(Field(Profile, "node.labels"), Path("node")["labels"]));
        Assert.False(form.CanShow(Field(Profile, "node.kubeletConfig"), Path("node")["kubeletConfig"]));
        Assert.Equal(["image", "mystery"], form.OtherKeys(DocumentPath.Root["spec"], Profile.Fields));
        var changed = form.With(Path("node")["credentialsFile"], true)!;
        Assert.Equal(Text.Replace("labels: { a: { b: c } }\n", "labels: { a: { b: c } }\n    credentialsFile: true\n", StringComparison.Ordinal), changed.Text);

        Assert.Contains("not well-formed", DocumentForm.Of("spec: [").WhyNot!.Message, StringComparison.Ordinal);
        Assert.Contains("2 documents", DocumentForm.Of("a: b\n---\nc: d\n").WhyNot!.Message, StringComparison.Ordinal);
        Assert.Contains("anchors", DocumentForm.Of("spec: &a { b: c }\n").WhyNot!.Message, StringComparison.Ordinal);
        Assert.NotNull(DocumentForm.Of("").WhyNot);
    }

    private static FieldDescription Spec(ResourceKind kind) => kind.Fields.Single(f => f.Name == "spec");

    private static FieldDescription Field(FieldDescription spec, string path) => path.Split('.').Aggregate(spec, (at, name) => at.Fields.Single(f => f.Name == name));

    private static FieldControl Control(FieldDescription spec, string path) => DocumentForm.ControlOf(Field(spec, path));

    private static DocumentPath Path(string key) => YamlEditTests.PathOf($"spec.{key}");

    private static DocumentForm Type(DocumentForm form, FieldDescription spec, string key, string typed) => form.With(Path(key), DocumentForm.ValueOf(Field(spec, key), typed))!;
}

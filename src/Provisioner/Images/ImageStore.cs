namespace Provisioner.Images;

/// <summary>Where imported files lie: <c>ROOT/IMAGE/GENERATION/PATH</c>. A generation is written whole, renamed into place, and never changed.</summary>
/// <param name="root">Absolute path of the images directory inside the data directory.</param>
public sealed class ImageStore(string root)
{
    /// <summary>Absolute path of the images directory.</summary>
    public string Root { get; } = root;

    /// <summary>Absolute path of an imported file. Both come from the import, none from a client.</summary>
    public string PathOf(Image image, ImageFile file) =>
        Path.Combine(Root, image.Name, image.Status.Generation ?? "", file.Path);
}

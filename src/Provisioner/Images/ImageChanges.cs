using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Images;

/// <summary>Changes of images that an import makes, for <see cref="StateWriter.ChangeAsync{T}"/>.</summary>
public static class ImageChanges
{
    /// <summary>
    /// Puts an image with its imported files (status) in place, new or instead of the one of that name. Labels of the old one stay
    /// unless the new one has its own.
    /// </summary>
    /// <exception cref="ChangeRefusedException">The name or spec is wrong, or a registered host no longer fits.</exception>
    public static Image Register(StateEditor editor, Image image, string? actor)
    {
        var before = editor.Snapshot.Images.GetValueOrDefault(image.Name);
        if (image.Metadata.Labels.IsEmpty && before is not null)
            image = image with { Metadata = image.Metadata with { Labels = before.Metadata.Labels } };

        // The same rules as for a document, by reading what would be written.
        var read = ResourceReader.Read(ResourceWriter.ToYaml(image));
        if (read.Mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, [.. read.Mistakes.Select(m => m.WithoutPlace())]);
        var mistakes = new References(editor.Snapshot, [new ResourceDocument(image, 1)]).Check();
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Conflict, [.. mistakes.Select(m => m with { Document = null })]);

        image = editor.Put(image);
        ResourceChanges.RecordChange(editor, image, $"imported: {image.Status.Files.Length} files, {image.Status.Files.Sum(f => f.Size)} bytes"
                + (image.Status.Verified.IsEmpty ? "" : $"; checked against {string.Join(", ", image.Status.Verified)}"),
            before is null ? "a new image" : "its files were replaced", actor);
        return image;
    }
}

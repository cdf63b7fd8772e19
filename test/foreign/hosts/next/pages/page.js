export function getServerSideProps({ req }) {
  return { props: { user: req.session.userId ?? 'nobody' } }
}

export default function Page({ user }) {
  return <p>{`user: ${user}`}</p>
}

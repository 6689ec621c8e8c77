/** Asks for the token. It is kept in memory only. */
import { useId, useState, type FormEvent, type ReactNode } from 'react';
import { setToken } from './api';

interface Props {
  title: string;
  /** Why it is asked for again; empty = for the first time. */
  problem: string;
  children?: ReactNode;
  onToken: () => void;
}

export function SignIn({ title, problem, children, onToken }: Props): ReactNode {
  const [value, setValue] = useState('');
  const id = useId();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setToken(value.trim());
    setValue('');
    onToken();
  };
  return (
    <main className="centre">
      <form className="card sign-in" onSubmit={submit}>
        <h1>{title}</h1>
        {children}
        <label htmlFor={id}>Access token</label>
        <input id={id} type="password" autoComplete="off" spellCheck={false} required value={value} onChange={(event) => { setValue(event.target.value); }} autoFocus />
        {problem !== '' && <p role="alert" className="problem">{problem}</p>}
        <button className="primary" type="submit">Sign in</button>
        <p className="note">The token stays in the memory of this page and is gone when you close or reload it.</p>
      </form>
    </main>
  );
}
